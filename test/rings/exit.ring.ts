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
import { test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, start } from '../support/program.ts';

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
