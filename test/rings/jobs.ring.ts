// Over 200 lines: every way in which a job begins, is told and ends.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, type Program, start, startAgent } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';

const QUIET = ['--dry-run', '--receipt', 'none', '--log-level', 'error', '--metrics', 'default'];
const AROUND = [process.execPath, AGENT, ...QUIET, '--'];
const MEMORY = '/sys/fs/cgroup/memory';
const TINI = ['tini', '-s', '--'];
/** As many processes at a time as leave the machine's clock alone. */
const AT_ONCE = 4;
const FORWARDED = [
  ...([
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGABRT',
    'SIGUSR1',
    'SIGUSR2',
    'SIGPIPE',
    'SIGALRM',
  ] as const),
  ...(['SIGTERM', 'SIGCONT', 'SIGURG', 'SIGXCPU', 'SIGXFSZ', 'SIGVTALRM', 'SIGPROF'] as const),
  ...(['SIGWINCH', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'] as const),
];

let folder: string;
let cloudwatch: Cloudwatch;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'jobs-'));
  cloudwatch = await startCloudwatch();
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cloudwatch.close();
});

function run(prefix: readonly string[], job: readonly string[], environment = {}): Program {
  const [command = '', ...argv] = [...prefix, ...job];
  return start(command, argv, { environment });
}

async function each<Item>(items: readonly Item[], one: (item: Item) => Promise<void>) {
  const left = [...items];
  const work = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await one(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function publishing(): Record<string, string> {
  return {
    METRICS_AGENT_NAMESPACE: 'Jobs',
    METRICS_AGENT_SERVICE: 'job',
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}

function receiptOf(stderr: string): Record<string, unknown> {
  const lines = stderr.split('\n').filter((line) => line.startsWith('{"type":"receipt"'));
  assert.equal(lines.length, 1, stderr);
  assert.ok(Buffer.byteLength(lines[0] ?? '') <= 2048);
  return JSON.parse(lines[0] ?? '');
}

/** Says each signal that it hears, and goes on; `end` on TERM or after a while. */
const LISTENER = [
  process.execPath,
  '-e',
  `for (const name of ${JSON.stringify(FORWARDED)}) process.on(name, () => console.log('heard', name));
   console.log('ready'); setTimeout(() => process.exit(9), 20000);`,
];

describe('the exit code is the job’s', { skip: lacking('tini') }, () => {
  test('all 256, bare', async () => {
    await each(
      Array.from({ length: 256 }, (_, code) => code),
      async (code) => {
        assert.equal(await run(AROUND, ['sh', '-c', `exit ${code}`]).ended, code);
      },
    );
  });

  test('all 256, under tini', async () => {
    await each(
      Array.from({ length: 256 }, (_, code) => code),
      async (code) => {
        assert.equal(await run([...TINI, ...AROUND], ['sh', '-c', `exit ${code}`]).ended, code);
      },
    );
  });

  for (const signal of ['SIGKILL', 'SIGSEGV', ...FORWARDED] as const) {
    if (['SIGCONT', 'SIGURG', 'SIGWINCH', 'SIGSTKFLT'].includes(signal)) continue;
    test(`a job that dies by ${signal} is 128 and the signal, as under tini`, async () => {
      const job = ['sh', '-c', `ulimit -c 0; kill -${signal.slice(3)} $$; sleep 1`];
      const [ours, tinis] = [run(AROUND, job), run(TINI, job)];
      assert.equal(await ours.ended, 128 + constants.signals[signal]);
      assert.equal(await tinis.ended, await ours.ended);
    });
  }

  const file = (name: string, text: string, mode: number): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode });
    return path;
  };
  const oddities: Readonly<Record<string, () => readonly string[]>> = {
    'not there': () => ['/nowhere/at/all'],
    'not on PATH': () => ['no-such-command-anywhere'],
    'not executable': () => [file('blunt', 'text', 0o644)],
    'a folder': () => [folder],
    'without its interpreter': () => [file('lost', '#!/nowhere/sh\n', 0o755)],
    'a script without #!': () => [file('bare', 'exit 21\n', 0o755)],
  };
  for (const [name, job] of Object.entries(oddities)) {
    test(`a command that is ${name} ends as under tini`, async () => {
      const [ours, tinis] = [run(AROUND, job()), run(TINI, job())];
      assert.equal(await ours.ended, await tinis.ended, ours.stderr());
    });
  }

  test('a job of which data was lost is 0 all the same', async () => {
    const program = run([process.execPath, AGENT, '--flush-timeout', '1', '--'], ['true'], {
      ...publishing(),
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    });
    assert.equal(await program.ended, 0);
    assert.equal(receiptOf(program.stderr())['windowsLost'], 1);
  });
});

describe('signals', { concurrency: AT_ONCE }, () => {
  for (const signal of FORWARDED) {
    test(`${signal} reaches the job, once`, async () => {
      const program = run(AROUND, LISTENER);
      await program.until('the job', ({ stdout }) => stdout().includes('ready'));
      program.kill(signal);
      await program.until(signal, ({ stdout }) => stdout().includes(`heard ${signal}\n`));
      program.kill('SIGTERM');
      await program.until('TERM', ({ stdout }) => stdout().includes('heard SIGTERM\n'));
      const heard = program.stdout().match(new RegExp(`heard ${signal}\n`, 'g'));
      assert.equal(heard?.length, signal === 'SIGTERM' ? heard?.length : 1);
      spawnSync('pkill', ['-KILL', '-P', String(program.child.pid)]);
      assert.equal(await program.ended, 137);
    });
  }

  for (const init of [
    ['tini', '-s', '-g', '--'],
    ['dumb-init', '--'],
    ['tini', '-s', '--'],
  ]) {
    const skip = lacking(...init.slice(0, 1));
    test(`under ${init.join(' ')} the job is told once`, { skip }, async () => {
      const program = run([...init, ...AROUND], LISTENER);
      await program.until('the job', ({ stdout }) => stdout().includes('ready'));
      program.kill('SIGUSR2');
      await program.until('USR2', ({ stdout }) => stdout().includes('heard SIGUSR2\n'));
      program.kill('SIGHUP');
      await program.until('HUP', ({ stdout }) => stdout().includes('heard SIGHUP\n'));
      assert.equal(program.stdout().match(/heard SIGUSR2/g)?.length, 1, program.stdout());
      const [pid] = spawnSync('pgrep', ['-f', 'console.log..ready'], { encoding: 'utf8' }).stdout;
      assert.ok(pid !== undefined);
      program.kill('SIGKILL');
    });
  }

  test('--grace ends a job that ignores SIGTERM', async () => {
    const grace = [process.execPath, AGENT, ...QUIET, '--grace', '1', '--'];
    const program = run(grace, ['sh', '-c', 'trap "" TERM; echo deaf; exec sleep 20']);
    await program.until('the job', ({ stdout }) => stdout().includes('deaf'));
    program.kill('SIGTERM');
    const beganMs = performance.now();
    assert.equal(await Promise.race([program.ended, later(6000)]), 137);
    assert.ok(performance.now() - beganMs > 900);
  });

  test('SIGTSTP stops both, SIGCONT wakes both', async () => {
    // The kernel stops nobody by SIGTSTP whose group nobody else of the session watches, and a CI may
    // have started us in such a one: in a group of its own it is watched by us.
    const watched = ['perl', '-e', 'setpgrp(0, 0); exec { $ARGV[0] } @ARGV', ...AROUND];
    const program = run(watched, ['sh', '-c', 'echo ready; sleep 1; exit 6']);
    await program.until('the job', ({ stdout }) => stdout().includes('ready'));
    program.kill('SIGTSTP');
    const pid = String(program.child.pid);
    await until(() => stateOf(pid) === 'T');
    program.kill('SIGCONT');
    assert.equal(await program.ended, 6);
  });
});

function later(ms: number): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, ms, 'too late').unref());
}

function stateOf(pid: string): string {
  return spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).stdout.charAt(0);
}

async function until(is: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!is()) {
    assert.ok(performance.now() < endMs, 'it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('what the job gets', { concurrency: AT_ONCE }, () => {
  test('no setting of ours, and its own NODE_OPTIONS', async () => {
    const program = run(AROUND, ['env'], {
      METRICS_AGENT_PERIOD: '60',
      METRICS_AGENT_JOB_NODE_OPTIONS: '--max-old-space-size=99',
      NODE_OPTIONS: '--no-warnings',
      OTHER: 'kept',
    });
    assert.equal(await program.ended, 0);
    assert.doesNotMatch(program.stdout(), /METRICS_AGENT/);
    assert.match(program.stdout(), /^NODE_OPTIONS=--max-old-space-size=99$/m);
    assert.match(program.stdout(), /^OTHER=kept$/m);
  });

  test('a --require in NODE_OPTIONS is warned of', async () => {
    const path = join(folder, 'apm.cjs');
    writeFileSync(path, '');
    const program = run(AROUND, ['true'], { NODE_OPTIONS: `--require ${path}` });
    assert.equal(await program.ended, 0);
    assert.match(program.stderr(), /NODE_OPTIONS has --require/);
  });

  test('its arguments as they are, its standard input, and its exit', async () => {
    const inner = `echo hello | ${[...AROUND, 'sh', '-c', 'cat; printf "<%s>" "$1"', 'sh', 'a  b'].map((word) => `'${word}'`).join(' ')}`;
    const program = run(['sh', '-c'], [inner]);
    assert.equal(await program.ended, 0, program.stderr());
    assert.match(program.stdout(), /hello\n/);
    assert.match(program.stdout(), /<a {2}b>/);
  });

  test('signal dispositions and mask as by Node, nothing ignored or blocked', async () => {
    const program = run(AROUND, ['grep', '-E', '^Sig(Ign|Blk)', '/proc/self/status']);
    await program.ended;
    const masks = program.stdout().match(/^Sig\w+:\s+\w+$/gm) ?? [];
    assert.equal(masks.length, 2);
    for (const mask of masks) assert.match(mask, /:\s+0+$/);
  });

  test('O_NONBLOCK of its pipes as before, also after lines of ours', async () => {
    // Pipes of a shell, not sockets as Node makes them.
    const flagsOf = async (prefix: string, name: string): Promise<string> => {
      const path = join(folder, name);
      const look = `for n in 0 1 2; do grep flags /proc/$$/fdinfo/$n >>${path}; done`;
      const job = `${prefix} sh -c 'sleep 0.4; ${look}'`;
      await run(['sh', '-c'], [`{ echo | ${job} | cat >/dev/null; } 2>&1 | cat >/dev/null`]).ended;
      return readFileSync(path, 'utf8');
    };
    const around = [process.execPath, AGENT, '--dry-run', '--log-level', 'debug', '--'].join(' ');
    const alone = await flagsOf('', 'flags-alone');
    assert.equal(alone.match(/flags/g)?.length, 3);
    assert.equal(await flagsOf(around, 'flags-ours'), alone);
  });

  test('the descriptors that we came with, and none of our own', async () => {
    const list = 'ls /proc/$$/fd; cat <&7';
    const through = (prefix: string): Program => {
      return run(['sh', '-c'], [`exec 7</etc/hostname; exec ${prefix} sh -c '${list}'`], {
        AWS_EC2_METADATA_DISABLED: 'true',
        HOME: folder,
      });
    };
    const around = AROUND.join(' ').replace(
      '--dry-run',
      '-n N -s S --region eu-west-1 --flush-timeout 1',
    );
    const [ours, alone] = [through(around), through('')];
    await Promise.all([ours.ended, alone.ended]);
    assert.equal(ours.stdout(), alone.stdout());
  });

  test('the terminal, where there is one', { skip: lacking('script') }, async () => {
    const command = [...AROUND, 'sh', '-c', '"test -t 0 && test -t 1 && test -t 2 && echo all"'];
    const program = run(['script', '-qec', command.join(' '), '/dev/null'], []);
    assert.equal(await program.ended, 0);
    assert.match(program.stdout(), /all/);
  });

  test('Ctrl-C on a terminal reaches it once, and ends us by SIGINT', {
    skip: lacking('script'),
  }, async () => {
    const job = `trap "echo heard; trap - INT; kill -INT \\$\\$" INT; echo ready; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5; done`;
    const inner = `${AROUND.join(' ')} sh -c '${job}'; echo code $?`;
    const child = spawn('script', ['-qc', inner, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    const done = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!out.includes('ready') && text.includes('ready')) child.stdin.write('\u0003');
      out += text;
    });
    await Promise.race([done, later(8000)]);
    child.kill('SIGKILL');
    assert.equal(out.match(/heard/g)?.length, 1, out);
  });
});

describe('the agent never keeps a job from running, nor makes it fail', {
  concurrency: AT_ONCE,
}, () => {
  const wrong: Readonly<Record<string, readonly string[]>> = {
    'no namespace': [],
    'a flag that is none': ['--nothing'],
    'a bad value': ['--namespace', 'N', '--service', 'S', '--period', '0'],
    'a scope that is not there': ['--namespace', 'N', '--service', 'S', '--scope', 'task'],
    'a root that is not there': ['--namespace', 'N', '--service', 'S', '--root', '/nowhere'],
  };
  for (const [name, flags] of Object.entries(wrong)) {
    test(`${name}: one line, the job’s exit code, a receipt`, async () => {
      const program = startAgent([...flags, '--', 'sh', '-c', 'echo ran; exit 4']);
      assert.equal(await program.ended, 4);
      assert.equal(program.stdout(), 'ran\n');
      assert.equal(receiptOf(program.stderr())['outcome'], 'failed');
      assert.equal(program.stderr().match(/the job runs without the agent: /g)?.length, 1);
    });
  }

  test('a fault of the agent’s own: a line, the job’s exit code, a receipt', async () => {
    const path = join(folder, 'fault.cjs');
    writeFileSync(path, "setTimeout(() => { throw new Error('on purpose'); }, 300)");
    const program = startAgent([...QUIET.slice(0, 1), '--', 'sh', '-c', 'sleep 1.5; exit 4'], {
      environment: { NODE_OPTIONS: `--require ${path}` },
    });
    assert.equal(await program.ended, 4);
    assert.match(program.stderr(), /a fault of this program.*on purpose/);
    assert.ok(Number(receiptOf(program.stderr())['samples']) >= 1);
  });

  test('no credentials: the job’s exit code', async () => {
    const flags = ['-n', 'N', '-s', 'S', '--region', 'eu-west-1', '--flush-timeout', '1'];
    const program = startAgent([...flags, '--', 'sh', '-c', 'exit 0'], {
      environment: { AWS_EC2_METADATA_DISABLED: 'true', HOME: folder },
    });
    assert.equal(await program.ended, 0);
    assert.equal(receiptOf(program.stderr())['windowsLost'], 1);
  });

  test('-- with nothing behind it is 2', async () => {
    assert.equal(await startAgent(['--namespace', 'N', '--']).ended, 2);
  });

  for (const flag of ['--help', '--version', '--explain']) {
    test(`with ${flag} before it the job does not run`, async () => {
      const program = startAgent([flag, '--', 'sh', '-c', 'echo ran']);
      assert.equal(await program.ended, 0);
      assert.doesNotMatch(program.stdout(), /^ran$/m);
    });
  }
});

describe('what is published', () => {
  async function published(job: readonly string[], flags: readonly string[] = []) {
    const before = cloudwatch.accepted.length;
    const program = startAgent([...flags, '--', ...job], { environment: publishing() });
    const code = await program.ended;
    const windows = cloudwatch.accepted.slice(before);
    const data = windows.flatMap((window) => window.data);
    return { code, program, windows, data };
  }

  test('JobDuration and JobFailures of a 1 s job', async () => {
    const { data, code } = await published(['sleep', '1']);
    assert.equal(code, 0);
    const duration = data.find(({ MetricName }) => MetricName === 'JobDuration');
    assert.ok(duration !== undefined && Number(duration.Value) >= 1, JSON.stringify(data));
    assert.equal(data.find(({ MetricName }) => MetricName === 'JobFailures')?.Value, 0);
  });

  test('of 100 jobs that could not be started, 100 failures', async () => {
    const before = cloudwatch.accepted.length;
    await each(Array.from({ length: 100 }, String), async () => {
      const program = startAgent(['--', '/nowhere'], { environment: publishing() });
      assert.equal(await program.ended, 127);
      assert.equal(receiptOf(program.stderr())['outcome'], 'notStarted');
    });
    const data = cloudwatch.accepted.slice(before).flatMap((window) => window.data);
    const failures = data.filter(
      ({ MetricName, Value }) => MetricName === 'JobFailures' && Value === 1,
    );
    assert.equal(failures.length, 100);
  });

  test('none of them where --metrics names others', async () => {
    const { data } = await published(['true'], ['--metrics', 'CPUUtilization,MemoryUtilization']);
    assert.ok(!data.some(({ MetricName }) => MetricName.startsWith('Job')));
  });

  test('SIGTERM: what there is goes at once, the rest under a label of its own', async () => {
    const before = cloudwatch.accepted.length;
    const job = 'trap "sleep 1.5; exit 0" TERM; echo ready; while :; do sleep 0.1; done';
    const program = startAgent(['--', 'sh', '-c', job], { environment: publishing() });
    await program.until('the job', ({ stdout }) => stdout().includes('ready'));
    await new Promise((resolve) => setTimeout(resolve, 1200));
    program.kill('SIGTERM');
    await until(() => cloudwatch.accepted.length > before);
    assert.equal(program.child.exitCode, null);
    assert.equal(await program.ended, 0);
    const windows = cloudwatch.accepted.slice(before);
    const labels = new Set(windows.flatMap(({ data }) => data.map(({ Timestamp }) => Timestamp)));
    assert.ok(labels.size >= 2, JSON.stringify([...labels]));
  });
});

describe('one deadline for the whole stop', { concurrency: 2 }, () => {
  const down = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' };

  test('a job that stops in 4 s of 10 ends within 2 s more while CloudWatch is down', async () => {
    const job = 'trap "sleep 4; exit 5" TERM; echo ready; while :; do sleep 0.1; done';
    const program = startAgent(['--', 'sh', '-c', job], {
      environment: { ...publishing(), ...down },
    });
    await program.until('the job', ({ stdout }) => stdout().includes('ready'));
    program.kill('SIGTERM');
    const beganMs = performance.now();
    assert.equal(await program.ended, 5);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 6800, `${tookMs} ms`);
  });

  test('a SIGTERM after the job’s end shortens the flush, and adds no window', async () => {
    const program = startAgent(['--stop-timeout', '3', '--', 'sh', '-c', 'exit 5'], {
      environment: { ...publishing(), ...down },
    });
    await program.until('the start', ({ stderr }) => stderr().includes('started'));
    const beganMs = performance.now();
    setTimeout(() => program.kill('SIGTERM'), 1000);
    assert.equal(await program.ended, 5);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs < 1000 + 2500, `${tookMs} ms`);
    assert.equal(receiptOf(program.stderr())['windowsLost'], 1);
  });

  test('a disk that does not answer holds no receipt file longer than the deadline', async () => {
    const fifo = join(folder, 'stuck');
    spawnSync('mkfifo', [fifo]);
    const flags = ['--dry-run', '--flush-timeout', '2', '--receipt', join(fifo, 'receipt.json')];
    const program = startAgent([...flags, '--', 'sh', '-c', 'exit 8']);
    assert.equal(await program.ended, 8);
    assert.match(program.stderr(), /the receipt is not written/);
  });

  test('a spool whose disk stands still holds the end no longer than that', async () => {
    const spool = join(folder, 'spool');
    const flags = ['--flush-timeout', '2', '--spool', spool, '--period', '1'];
    const program = startAgent([...flags, '--', 'sh', '-c', 'echo ready; sleep 3; exit 8'], {
      environment: { ...publishing(), ...down },
    });
    const serving = ['-f', `^${process.execPath} .*@disk ${spool}$`];
    await until(() => spawnSync('pgrep', serving).status === 0);
    const [pid = ''] = spawnSync('pgrep', serving, { encoding: 'utf8' }).stdout.split('\n');
    process.kill(Number(pid), 'SIGSTOP');
    try {
      assert.equal(await program.ended, 8);
      assert.ok(Number(receiptOf(program.stderr())['durationSeconds']) < 4);
    } finally {
      process.kill(Number(pid), 'SIGKILL');
    }
  });
});

describe('a memory group alone', { skip: existsSync(MEMORY) ? false : 'no cgroup v1' }, () => {
  test('is no reason to run without the agent', async () => {
    const group = join(MEMORY, `jobs-ring-${process.pid}`);
    mkdirSync(group);
    try {
      writeFileSync(join(group, 'memory.limit_in_bytes'), String(512 * 2 ** 20));
      const into = `echo $$ > ${group}/cgroup.procs; exec "$@"`;
      const agent = [process.execPath, AGENT, '--dry-run', '--', 'sh', '-c', 'exit 6'];
      const program = start('sh', ['-c', into, 'sh', ...agent]);
      assert.equal(await program.ended, 6);
      assert.match(program.stdout(), /JobFailures 1 Count/);
      assert.doesNotMatch(program.stderr(), /without the agent/);
    } finally {
      rmdirSync(group);
    }
  });
});

describe('without a job', () => {
  test('a run with --receipt ends with one, and with its own exit code', async () => {
    const flags = ['--dry-run', '--once', '--period', '1', '--receipt', 'json'];
    const program = startAgent(flags);
    assert.equal(await program.ended, 0);
    const receipt = receiptOf(program.stderr());
    assert.equal(receipt['outcome'], 'succeeded');
    assert.ok(!('exitCode' in receipt));
    assert.ok(Number(receipt['samples']) >= 1);
  });
});
