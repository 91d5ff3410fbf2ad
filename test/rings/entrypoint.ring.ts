// Over 200 lines: every init, shell and way to end of one script.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, type Program, start } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';

const ENTRYPOINT = fileURLToPath(new URL('../../examples/entrypoint.sh', import.meta.url));

/** How a container starts the script. */
const INITS: Readonly<Record<string, readonly string[]>> = {
  'tini -g': ['tini', '-s', '-g', '--'],
  tini: ['tini', '-s', '--'],
  'dumb-init': ['dumb-init', '--'],
  'no init': [],
};
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  dash: ['dash'],
  bash: ['bash'],
  ash: ['busybox', 'ash'],
};
/** What a signal must not do to the script, or keep from the job. */
const SIGNALS = [
  ...(['HUP', 'INT', 'QUIT', 'USR1', 'USR2'] as const),
  ...(['ALRM', 'WINCH', 'URG', 'PWR'] as const),
];

/** Stand-ins for the agent, which say what becomes of them. */
const STAND_INS = {
  good: `process.on('SIGTERM', () => { console.log('agent TERM'); process.exit(); });
    setInterval(() => undefined, 1000);`,
  deaf: `process.on('SIGTERM', () => console.log('agent TERM'));
    setInterval(() => undefined, 1000);`,
  stopped: `process.kill(process.pid, 'SIGSTOP');`,
  open: `console.log(\`agent options "\${process.env.NODE_OPTIONS}"\`);
    process.on('SIGTERM', () => process.exit()); setInterval(() => undefined, 1000);`,
};
type StandIn = keyof typeof STAND_INS;

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrypoint-'));
  for (const [name, text] of Object.entries(STAND_INS)) {
    const said = `process.on('exit', () => console.log('agent end'));`;
    writeFileSync(join(folder, `${name}.js`), `${said}${text};console.log('agent begins');`);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

function beside(
  standIn: StandIn,
  prefix: readonly string[],
  job: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Program {
  const [command = '', ...argv] = [...prefix, ENTRYPOINT, ...job];
  return start(command, argv, {
    environment: { AGENT_JS: join(folder, `${standIn}.js`), ...environment },
  });
}

function count(text: string, what: RegExp): number {
  return text.match(new RegExp(what, 'g'))?.length ?? 0;
}

/** Says each signal that it hears, TERM a second before it ends. */
const LISTENER = [
  'bash',
  '-c',
  `for s in ${SIGNALS.join(' ')}; do trap "echo job $s" $s; done
   trap 'echo job TERM; sleep 1; echo job end; exit 41' TERM
   echo job begins; while :; do sleep 0.05; done`,
];

for (const [name, init] of Object.entries(INITS)) {
  const skip = lacking(...init.slice(0, 1));
  describe(`the entrypoint and the agent under ${name}`, { skip, concurrency: 3 }, () => {
    async function run(job: string, whileItRuns?: (program: Program) => Promise<void>) {
      const cloudwatch: Cloudwatch = await startCloudwatch();
      const [command = '', ...argv] = [...init, 'sh', ENTRYPOINT, 'sh', '-c', job];
      const program = start(command, argv, {
        environment: {
          AGENT_JS: AGENT,
          METRICS_AGENT_NAMESPACE: 'Jobs',
          METRICS_AGENT_SERVICE: 'job',
          METRICS_AGENT_LOG_LEVEL: 'info',
          AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
          AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
          AWS_REGION: REGION,
          AWS_ENDPOINT_URL: cloudwatch.url,
        },
      });
      try {
        await whileItRuns?.(program);
        const code = await program.ended;
        // The last window came, whole; a job may live across a minute's end, which makes two.
        const { accepted } = cloudwatch;
        assert.ok(accepted.length === 1 || accepted.length === 2, `${accepted.length} windows`);
        assert.equal(accepted.at(-1)?.data.length, 3);
        return { code, program };
      } finally {
        program.kill('SIGKILL');
        await cloudwatch.close();
      }
    }

    test('a job that ends well: the last window arrives, exit code 0', async () => {
      assert.equal((await run('sleep 1.2')).code, 0);
    });

    test('a job that fails: the last window arrives, the exit code is the job’s', async () => {
      assert.equal((await run('sleep 1.2; exit 37')).code, 37);
    });

    test('SIGTERM to the init: the job may end in its own way, and the last window arrives', async () => {
      const job = 'trap "echo job got TERM; exit 41" TERM; echo ready; while :; do sleep 0.1; done';
      const { code, program } = await run(job, async (one) => {
        await one.until('start of both', ({ stdout, stderr }) => {
          return stdout().includes('ready') && stderr().includes('scope=');
        });
        one.kill('SIGTERM');
      });
      assert.equal(code, 41, program.stderr());
      assert.match(program.stdout(), /job got TERM/);
    });
  });

  for (const [shell, words] of Object.entries(SHELLS)) {
    const skip = lacking(...init.slice(0, 1), ...words.slice(0, 1));
    describe(`the entrypoint in ${shell} under ${name}`, { skip, concurrency: 4 }, () => {
      const prefix = [...init, ...words];

      test('the job is told once of SIGTERM, the agent when the job has ended', async () => {
        const program = beside('good', prefix, LISTENER);
        await program.until('both', ({ stdout }) => {
          return stdout().includes('job begins') && stdout().includes('agent begins');
        });
        program.kill('SIGTERM');
        assert.equal(await program.ended, 41, program.stdout());
        const told = program.stdout().replace(/.*begins\n/g, '');
        assert.equal(told, 'job TERM\njob end\nagent TERM\nagent end\n');
      });

      test('every signal reaches the job, once, and leaves the script where it is', async () => {
        const program = beside('good', prefix, LISTENER);
        await program.until('the job', ({ stdout }) => stdout().includes('job begins'));
        for (const signal of SIGNALS) {
          program.kill(`SIG${signal}`);
          await program.until(signal, ({ stdout }) => stdout().includes(`job ${signal}\n`));
        }
        program.kill('SIGTERM');
        assert.equal(await program.ended, 41);
        for (const signal of SIGNALS) {
          assert.equal(count(program.stdout(), RegExp(`job ${signal}\n`)), 1, program.stdout());
        }
      });

      test('the job has the dispositions of a command that is run alone', async () => {
        const job = ['grep', '-E', 'Sig(Ign|Blk)', '/proc/self/status'];
        const alone = start(job[0] ?? '', job.slice(1));
        const program = beside('good', prefix, job);
        assert.equal(await program.ended, await alone.ended);
        assert.equal(program.stdout().replace(/agent .*\n/g, ''), alone.stdout());
      });

      for (const standIn of ['deaf', 'stopped'] as const) {
        test(`an agent that does not end (${standIn}) holds the container for 4 s`, async () => {
          const program = beside(standIn, prefix, ['sh', '-c', 'sleep 0.5; exit 5'], {
            METRICS_AGENT_STOP_TIMEOUT: '5',
          });
          const beganMs = performance.now();
          assert.equal(await program.ended, 5);
          const tookMs = performance.now() - beganMs;
          assert.ok(tookMs < 7000, `${tookMs} ms`);
        });
      }

      test('a job that ignores TERM: the agent is told 3 s before the end', async () => {
        const program = beside('good', prefix, ['sh', '-c', 'trap "" TERM; echo deaf; sleep 30'], {
          METRICS_AGENT_STOP_TIMEOUT: '5',
        });
        await program.until('both', ({ stdout }) => {
          return stdout().includes('deaf') && stdout().includes('agent begins');
        });
        program.kill('SIGTERM');
        const beganMs = performance.now();
        await program.until('the agent’s end', ({ stdout }) => stdout().includes('agent TERM'));
        const tookMs = performance.now() - beganMs;
        assert.ok(tookMs > 1900 && tookMs < 3500, `${tookMs} ms`);
        await endWhole(program);
      });
    });
  }
}

/** The script and its job, as a container's end does. */
async function endWhole(program: Program): Promise<void> {
  const { child } = program;
  const { spawnSync } = await import('node:child_process');
  const below = (pid: number): number[] => {
    const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    const children = stdout.split('\n').filter(Boolean).map(Number);
    return children.flatMap((one) => [one, ...below(one)]);
  };
  for (const pid of [...below(child.pid ?? 0), child.pid ?? 0]) {
    spawnSync('kill', ['-KILL', String(pid)]);
  }
  await program.ended;
}

describe('the entrypoint', { concurrency: 4 }, () => {
  for (const [shell, words] of Object.entries(SHELLS)) {
    const skip = lacking(...words.slice(0, 1));

    // busybox asks its own env, which cannot be a stand-in.
    const kind = { skip: shell === 'ash' ? 'its env is built in' : skip };
    test(`${shell}: told to end before there is a job, it starts none`, kind, async () => {
      const tools = join(folder, `tools-${shell}`);
      mkdirSync(tools, { recursive: true });
      // The script asks env something before it starts the job.
      const tool = '#!/bin/sh\n[ "$2" = true ] && kill -TERM "$PPID"\nexec /usr/bin/env "$@"\n';
      writeFileSync(join(tools, 'env'), tool, { mode: 0o755 });
      const program = beside('good', words, ['sh', '-c', 'echo a job; sleep 20'], {
        PATH: `${tools}:${process.env['PATH']}`,
      });
      assert.equal(await program.ended, 143, program.stderr());
      assert.equal(program.stdout(), '');
    });

    test(`${shell}: a job of 10 ms leaves nothing on stderr`, { skip }, async () => {
      const program = beside('good', words, ['sh', '-c', 'sleep 0.01']);
      assert.equal(await program.ended, 0);
      assert.equal(program.stderr(), '');
    });

    test(`${shell}: a job ended by a signal is 128 and the signal`, { skip }, async () => {
      const program = beside('good', words, ['sh', '-c', 'kill -KILL $$']);
      assert.equal(await program.ended, 137);
      assert.equal(program.stderr(), '');
    });

    test(`${shell}: no job is said, exit code 2`, { skip }, async () => {
      const program = beside('good', words, []);
      assert.equal(await program.ended, 2);
      assert.match(program.stderr(), /^entrypoint\.sh: no command, expected: .*\n$/);
    });

    test(`${shell}: the agent does not outlive a script that is killed`, { skip }, async () => {
      const program = beside('good', words, ['sleep', '6']);
      await program.until('the agent', ({ stdout }) => stdout().includes('agent begins'));
      program.kill('SIGKILL');
      await program.until('the agent’s end', ({ stdout }) => stdout().includes('agent end'), 5000);
    });

    test(`${shell}: NODE_OPTIONS is the job’s alone`, { skip }, async () => {
      const job = ['sh', '-c', 'echo "job options $NODE_OPTIONS"; sleep 0.4'];
      const program = beside('open', words, job, { NODE_OPTIONS: '--max-old-space-size=77' });
      assert.equal(await program.ended, 0);
      assert.match(program.stdout(), /job options --max-old-space-size=77/);
      assert.match(program.stdout(), /agent options ""/);
    });

    test(`${shell}: the job’s standard input is the container’s`, { skip }, async () => {
      const [command = '', ...argv] = [...words, ENTRYPOINT, 'cat'];
      const inner = `echo hello | ${[command, ...argv].join(' ')}`;
      const program = start('sh', ['-c', inner], {
        environment: { AGENT_JS: join(folder, 'good.js') },
      });
      assert.equal(await program.ended, 0);
      assert.match(program.stdout(), /hello/);
    });
  }

  describe('where there is only busybox', { skip: lacking('busybox') }, () => {
    function only(job: readonly string[]): Program {
      const bin = mkdtempSync(join(folder, 'bin-'));
      const busybox = '/bin/busybox';
      for (const name of ['sh', 'env', 'sed', 'tr', 'cat', 'sleep', 'setsid', 'kill', 'grep']) {
        symlinkSync(busybox, join(bin, name));
      }
      symlinkSync(process.execPath, join(bin, 'node'));
      return beside('good', [busybox, 'ash'], job, { PATH: bin, NODE_OPTIONS: '--no-warnings' });
    }

    test('the job’s dispositions and NODE_OPTIONS are its own', async () => {
      const program = only(['sh', '-c', 'cat /proc/self/status; echo "options $NODE_OPTIONS"']);
      assert.equal(await program.ended, 0);
      assert.match(program.stdout(), /SigIgn:\s+0{16}\n/);
      assert.match(program.stdout(), /options --no-warnings\n/);
    });

    test('signals and exit codes pass', async () => {
      const program = only([
        'sh',
        '-c',
        'trap "exit 43" INT; echo job begins; while :; do sleep 0.1; done',
      ]);
      await program.until('the job', ({ stdout }) => stdout().includes('job begins'));
      program.kill('SIGINT');
      assert.equal(await program.ended, 43);
    });

    test('127 for what is not there, 126 for what cannot be run', async () => {
      const blunt = join(folder, 'blunt');
      mkdirSync(blunt, { recursive: true });
      writeFileSync(join(blunt, 'file'), 'text');
      chmodSync(join(blunt, 'file'), 0o644);
      assert.equal(await only(['/nowhere/at-all']).ended, 127);
      assert.equal(await only([join(blunt, 'file')]).ended, 126);
    });
  });
});
