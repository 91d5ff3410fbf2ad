import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, type Program, start } from '../support/program.ts';

/** A name server in a network of its own that takes every question and answers none. */
const SILENT_DNS = `require('node:dgram').createSocket('udp4').bind(53, '127.0.0.1')`;

test('DNS that never answers keeps the exit no longer than --flush-timeout', {
  skip: process.getuid?.() === 0 ? lacking('unshare', 'ip') : 'needs root',
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-dns-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  writeFileSync(
    join(folder, 'run.sh'),
    `ip link set lo up
mount --bind ${folder}/resolv.conf /etc/resolv.conf
"$1" -e "${SILENT_DNS}" &
exec "$1" "$2" --namespace N --service S --log-level info --once --period 1 --flush-timeout 2
`,
  );
  const program = start(
    'unshare',
    [
      ...['--mount', '--net', '--pid', '--fork', '--kill-child', '--propagation', 'private'],
      ...['sh', join(folder, 'run.sh'), process.execPath, AGENT],
    ],
    {
      environment: {
        AWS_ACCESS_KEY_ID: 'AKIDNOBODY',
        AWS_SECRET_ACCESS_KEY: 'nothing',
        AWS_REGION: 'us-east-1',
      },
    },
  );
  await program.until('line about the source', ({ stderr }) => stderr().includes('scope='));
  const begun = performance.now();
  assert.equal(await program.ended, 1);
  const tookMs = performance.now() - begun;
  // One period and the flush; getaddrinfo would hold the exit for 10 s and more.
  assert.ok(tookMs < 5000, `${Math.round(tookMs)} ms`);
  assert.match(program.stderr(), /code=CONNECT_TIMEOUT reason="no connection within/);
  assert.match(
    program.stderr(),
    /stopped: the window \S+ UTC could not be sent within 2 s .* windowsSent=0 windowsSpooled=0 windowsLost=1/,
  );
});

/** Answers each family's first question by "no such name" and no other: getaddrinfo then waits. */
const HALF_SILENT_DNS = `let asked = 0, delay = 200;
require('node:dgram').createSocket('udp4').on('message', function (message, { port, address }) {
  asked += 1;
  if (asked === 3) for (const line of (process.argv[2] ?? '').split(',').filter(Boolean)) setTimeout(process.kill, (delay += 300), 1, line);
  if (asked > 2) return;
  message.writeUInt16BE(0x8183, 2);
  this.send(message, port, address);
}).bind(53, '127.0.0.1', () => console.log('there'))`;

/** Runs the agent, as the first process of its namespace or not, beside that name server. */
function besideSilence(
  folder: string,
  argv: readonly string[],
  { isFirst = true, signals = '' } = {},
): Program {
  writeFileSync(join(folder, 'dns.js'), HALF_SILENT_DNS);
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:30\n');
  writeFileSync(
    join(folder, 'run.sh'),
    `ip link set lo up
mount --bind ${folder}/resolv.conf /etc/resolv.conf
mkfifo ${folder}/there
"$1" ${folder}/dns.js "${signals}" >${folder}/there &
read there <${folder}/there
${isFirst ? 'exec ' : ''}"$@"
`,
  );
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  return start(
    'unshare',
    [
      ...[...namespaces, '--mount-proc', '--propagation', 'private'],
      ...['sh', join(folder, 'run.sh'), process.execPath, AGENT, ...argv],
    ],
    {
      environment: {
        AWS_ACCESS_KEY_ID: 'AKIDNOBODY',
        AWS_SECRET_ACCESS_KEY: 'nothing',
        AWS_REGION: 'us-east-1',
        AWS_MAX_ATTEMPTS: '1',
        AWS_ENDPOINT_URL: 'http://nobody.test:1',
      },
    },
  );
}

describe('a getaddrinfo that hangs', {
  skip: process.getuid?.() === 0 ? lacking('unshare', 'ip') : 'needs root',
}, () => {
  const run = async (
    t: TestContext,
    argv: readonly string[],
    how: { isFirst?: boolean; signals?: string } = {},
  ): Promise<{ ended: number | string; stdout: string; stderr: string; tookMs: number }> => {
    const folder = mkdtempSync(join(tmpdir(), 'agent-names-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const begun = performance.now();
    const program = besideSilence(folder, argv, how);
    const ended = await program.ended;
    const tookMs = performance.now() - begun;
    return { ended, stdout: program.stdout(), stderr: program.stderr(), tookMs };
  };
  const names = ['--namespace', 'N', '--service', 's', '--period', '1', '--jitter', '0'];

  for (const isFirst of [true, false]) {
    const who = isFirst ? 'of the first process' : 'of another process';
    test(`does not hold the end of --check ${who}, and all is said before`, async (t) => {
      const { stdout, tookMs } = await run(t, ['--check', '--flush-timeout', '1'], { isFirst });
      assert.match(stdout, /FAIL endpoint .*\n.*\nwarn identity .*\n.*\n.*\nok {3}source/);
      // Three connections of 5 s, and the second that a thread has; getaddrinfo itself takes a minute.
      assert.ok(tookMs < 25_000, `${Math.round(tookMs)} ms`);
    });
  }

  test('does not hold SIGTERM beyond --flush-timeout, and the outcome is said before', async (t) => {
    const { stderr, tookMs } = await run(t, [...names, '--flush-timeout', '2'], {
      signals: 'SIGTERM',
    });
    assert.match(stderr, / error stopped: /);
    assert.ok(tookMs < 12_000, `${Math.round(tookMs)} ms`);
  });

  test('does not hold a second SIGINT at all', async (t) => {
    const { stderr, tookMs } = await run(t, [...names, '--flush-timeout', '30'], {
      signals: 'SIGINT,SIGINT',
    });
    assert.doesNotMatch(stderr, /stopped: /);
    assert.ok(tookMs < 12_000, `${Math.round(tookMs)} ms`);
  });
});

test('where there are too few threads for a disk, the spool is left out, and that is said', async (t) => {
  const [, path = ''] = /^\d+:pids:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
  const group = `/sys/fs/cgroup/pids${path}/agent-threads-${process.pid}`;
  if (!existsSync('/sys/fs/cgroup/pids') || spawnSync('mkdir', [group]).status !== 0) {
    return t.skip('SKIP: no right to make a group of the pids controller (cgroup version 1)');
  }
  const spool = mkdtempSync(join(tmpdir(), 'threads-'));
  t.after(() => {
    rmSync(spool, { recursive: true });
    rmdirSync(group);
  });
  // Copied alone: as an ES module Node itself needs the pool to load it.
  const alone = join(spool, 'agent.js');
  copyFileSync(AGENT, alone);
  const line = 'echo $$ >"$0/cgroup.procs"; exec "$@"';
  for (const [most, isLeftOut] of [
    [10, true],
    [24, false],
  ] as const) {
    writeFileSync(`${group}/pids.max`, String(most));
    const names = ['--namespace', 'N', '--service', 's', '--once', '--period', '1'];
    const agent = [
      process.execPath,
      alone,
      ...names,
      '--flush-timeout',
      '1',
      '--spool',
      join(spool, 'spool'),
    ];
    const program = start('sh', ['-c', line, group, ...agent], {
      environment: {
        AWS_ACCESS_KEY_ID: 'AKIDNOBODY',
        AWS_SECRET_ACCESS_KEY: 'nothing',
        AWS_REGION: 'us-east-1',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      },
    });
    const ended = await program.ended;
    assert.equal(ended, isLeftOut ? 1 : 0, `${ended} ${program.stderr()}`);
    assert.equal(
      /warn the spool is left out: .* leaves \d+ threads/.test(program.stderr()),
      isLeftOut,
    );
  }
});
