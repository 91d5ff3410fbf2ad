import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Read, readEvents } from '../support/emf.ts';
import { AGENT, type Program, runAgent, startAgent } from '../support/program.ts';
import { Waiting } from '../support/waiting.ts';

const ARGUMENTS = ['--namespace', 'N', '--service', 'web', '--interval', '0.5', '--scope', 'host'];
const SHORT = [...ARGUMENTS, '--period', '1', '--output'];

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'emf-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function eventsIn(text: string): Read[] {
  return readEvents(text.split('\n').filter((line) => line !== ''));
}

function timesOf(all: readonly Read[]): number[] {
  return all.filter(({ name }) => name === 'CPUUtilization').map(({ timestamp }) => timestamp);
}

function isRegular(times: readonly number[]): boolean {
  return times.every((ms, index) => index === 0 || ms - (times[index - 1] ?? 0) === 1000);
}

/** An agent on 127.0.0.1 that keeps what it was sent. */
class Listener {
  text = '';
  readonly sockets = new Set<Socket>();
  readonly #waiting = new Waiting();
  readonly #server: Server;
  port = 0;

  constructor() {
    this.#server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
      socket.setEncoding('utf8').on('data', (text: string) => {
        this.text += text;
        this.#waiting.changed();
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(this.port, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  untilTimes(count: number): Promise<void> {
    const whole = (): string => this.text.slice(0, this.text.lastIndexOf('\n') + 1);
    return this.#waiting.until(
      () => timesOf(eventsIn(whole())).length >= count,
      15_000,
      () => this.text,
    );
  }
}

async function listen(t: TestContext): Promise<Listener> {
  const listener = new Listener();
  await listener.listen();
  t.after(() => listener.close());
  return listener;
}

async function stopped(program: Program): Promise<number | NodeJS.Signals> {
  program.kill('SIGTERM');
  return program.ended;
}

describe('standard output', () => {
  test('holds whole events and nothing else, down to the last window', async () => {
    const program = startAgent([...SHORT, 'emf', '--log-level', 'debug', '--receipt', 'text']);
    await program.until('three lines', ({ stdout }) => stdout().split('\n').length > 3);
    assert.equal(await stopped(program), 0, program.stderr());
    const times = timesOf(eventsIn(program.stdout()));
    assert.ok(times.length >= 3 && isRegular(times), String(times));
    assert.match(program.stderr(), /destination="EMF to standard output"/);
  });

  test('that nobody reads does not hold the end beyond the deadline, and the loss is said', async () => {
    const large = Array.from({ length: 29 }, (_, nth) => [
      '--dimension',
      `D${nth}=${'x'.repeat(1000)}`,
    ]);
    const argv = [...SHORT, 'emf', '--flush-timeout', '1', ...large.flat()];
    const child = spawn(process.execPath, [AGENT, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', METRICS_AGENT_LOG_LEVEL: 'info' },
    });
    let stderr = '';
    const waiting = new Waiting();
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
      waiting.changed();
    });
    const published = (): number => stderr.split(' published ').length - 1;
    await waiting.until(
      () => published() >= 2,
      15_000,
      () => stderr,
    );
    // It is asked how it is, again and again, until two windows wait.
    let asked = 0;
    await waiting.until(
      () => {
        const told = stderr.split(' status ').length - 1;
        if (told === asked) {
          asked += 1;
          child.kill('SIGUSR1');
        }
        return /windowsWaiting=2/.test(stderr);
      },
      15_000,
      () => stderr.slice(-2000),
    );
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /could not be sent within 1 s/);
    child.stdout.destroy();
  });

  test('whose reader has gone ends the program, with a line and an exit code', async () => {
    const shell = `"${process.execPath}" "${AGENT}" "$@" | head -n 1 >/dev/null; exit "\${PIPESTATUS[0]}"`;
    const child = spawn('/bin/bash', ['-c', shell, 'sh', ...SHORT, 'emf'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '' },
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /nobody reads standard output.*EPIPE/);
  });

  test('is refused where it is a job’s, which runs all the same', async () => {
    const { code, stdout, stderr } = await runAgent([
      ...[...SHORT, 'emf', '--', process.execPath, '-e', 'console.log("job"); process.exit(7)'],
    ]);
    assert.deepEqual([code, stdout], [7, 'job\n']);
    assert.match(stderr, /--output: got emf, but standard output is the job’s/);
  });

  test('needs no credentials, and asks nobody', async () => {
    const environment = { AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_PROFILE: 'none-such' };
    const { code, stdout, stderr } = await runAgent([...SHORT, 'emf', '--once'], { environment });
    assert.equal(code, 0, stderr);
    assert.equal(timesOf(eventsIn(stdout)).length, 1);
    assert.doesNotMatch(stderr, /credential|region|warn|error/);
  });

  test('is not chosen by the variable of AWS’s clients alone', async () => {
    const environment = {
      AWS_EMF_AGENT_ENDPOINT: 'tcp://127.0.0.1:1',
      AWS_EMF_ENVIRONMENT: 'Local',
    };
    const { stdout, stderr } = await runAgent(
      [...ARGUMENTS, '--period', '1', '--once', '--flush-timeout', '1'],
      { environment: { ...environment, AWS_EC2_METADATA_DISABLED: 'true' } },
    );
    assert.equal(stdout, '');
    assert.match(stderr, /destination="CloudWatch, its region yet to be found"/);
  });
});

describe('a file', () => {
  test('gets a line a window, over a rotation, a removal and a copy that truncates', async (t) => {
    const folder = folderOf(t);
    const path = join(folder, 'emf.log');
    const program = startAgent([...SHORT, `emf=${path}`, '--log-level', 'info']);
    const lines = (file: string): number =>
      existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
    const until = (count: number): Promise<void> =>
      program.until('lines', () => lines(path) >= count);
    await until(1);
    assert.equal(statSync(path).mode & 0o777 & ~0o640, 0);
    renameSync(path, `${path}.1`);
    await until(2);
    const second = readFileSync(path, 'utf8');
    unlinkSync(path);
    await until(1);
    assert.equal(await stopped(program), 0, program.stderr());
    const all = [readFileSync(`${path}.1`, 'utf8'), second, readFileSync(path, 'utf8')];
    const times = timesOf(eventsIn(all.join('')));
    assert.deepEqual(times, [...new Set(times)].sort());
    assert.ok(times.length >= 4, String(times));
  });

  test('that cannot be written is a wrong setting, before anything has begun', async (t) => {
    const folder = folderOf(t);
    const places: [to: string, why: RegExp][] = [
      [folder, /EISDIR/],
      [join(folder, 'none', 'x.log'), /ENOENT/],
      [join(AGENT, 'x.log'), /ENOTDIR/],
    ];
    for (const [to, why] of places) {
      const { code, stderr } = await runAgent([...SHORT, `emf=${to}`, '--once']);
      assert.equal(code, 2, stderr);
      assert.match(stderr, why);
      const checked = await runAgent(['--check', '--output', `emf=${to}`]);
      assert.equal(checked.code, 1);
      assert.match(checked.stdout, /^FAIL emf/m);
    }
  });

  test('whose folder went away gets what waited, once it is there again', async (t) => {
    const folder = folderOf(t);
    const path = join(folder, 'emf.log');
    const program = startAgent([...SHORT, `emf=${path}`, '--log-level', 'info']);
    await program.until('a line', () => existsSync(path));
    renameSync(folder, `${folder}.away`);
    await program.until('trouble', ({ stderr }) => /windows wait.*ENOENT/.test(stderr()));
    renameSync(`${folder}.away`, folder);
    await program.until('the end of it', ({ stderr }) => /go out again/.test(stderr()));
    assert.equal(await stopped(program), 0, program.stderr());
    const times = timesOf(eventsIn(readFileSync(path, 'utf8')));
    assert.ok(isRegular(times.slice(0, -1)), String(times));
  });

  test('beside a job is written by a process of its own, and holds the job’s last window', async (t) => {
    const path = join(folderOf(t), 'emf.log');
    const argv = [
      ...SHORT,
      `emf=${path}`,
      '--',
      process.execPath,
      '-e',
      'setTimeout(() => 0, 1200)',
    ];
    const { code, stderr } = await runAgent(argv);
    assert.equal(code, 0, stderr);
    const all = eventsIn(readFileSync(path, 'utf8'));
    assert.ok(
      all.some(({ name }) => name === 'JobDuration'),
      stderr,
    );
  });

  test('is whole lines after a kill', async (t) => {
    const path = join(folderOf(t), 'emf.log');
    const program = startAgent([...SHORT, `emf=${path}`, '--log-level', 'info']);
    await program.until('a line', () => existsSync(path));
    program.kill('SIGKILL');
    await program.ended;
    const text = readFileSync(path, 'utf8');
    assert.ok(text === '' || text.endsWith('\n'));
    eventsIn(text);
    chmodSync(path, 0o600);
  });
});

describe('an agent over TCP', () => {
  test('gets every window, with a log group, also after it was gone', async (t) => {
    const listener = await listen(t);
    const program = startAgent([...SHORT, `emf=tcp://127.0.0.1:${listener.port}`]);
    await listener.untilTimes(1);
    assert.match(listener.text, /"LogGroupName":"web-metrics"/);
    await listener.close();
    await program.until('trouble', ({ stderr }) => /windows wait.*ECONNREFUSED/.test(stderr()));
    await listener.listen();
    await program.until('the end of it', ({ stderr }) => /go out again/.test(stderr()), 30_000);
    assert.equal(await stopped(program), 0, program.stderr());
    const times = timesOf(eventsIn(listener.text));
    assert.ok(isRegular(times.slice(0, -1)), String(times));
  });

  test('that is dead does not hold the end beyond the deadline; the loss is the exit code', async (t) => {
    const listener = await listen(t);
    await listener.close();
    const argv = [...SHORT, `emf=tcp://127.0.0.1:${listener.port}`, '--flush-timeout', '1'];
    const program = startAgent(argv);
    await program.until('trouble', ({ stderr }) => /windows wait/.test(stderr()));
    const beganMs = performance.now();
    assert.equal(await stopped(program), 1);
    assert.ok(performance.now() - beganMs < 2500);
    assert.match(program.stderr(), /could not be sent within 1 s \(connect ECONNREFUSED/);
    assert.match(program.stderr(), /EMF has no spool/);
  });

  test('that does not read: what waits is bounded, the loss is said, and the end comes in time', async (t) => {
    const listener = await listen(t);
    const argv = [...SHORT, `emf=tcp://127.0.0.1:${listener.port}`, '--buffer', '64KiB'];
    const program = startAgent([...argv, '--flush-timeout', '1']);
    await listener.untilTimes(1);
    for (const socket of listener.sockets) socket.pause();
    const beganMs = performance.now();
    assert.equal(await stopped(program), 0, 'the kernel has room for one line more');
    assert.ok(performance.now() - beganMs < 2500);
  });
});

describe('an agent over UDP', () => {
  test('gets a datagram a line', async (t) => {
    const socket = createSocket('udp4');
    t.after(() => socket.close());
    const datagrams: string[] = [];
    const waiting = new Waiting();
    socket.on('message', (message) => {
      datagrams.push(message.toString());
      waiting.changed();
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const program = startAgent([...SHORT, `emf=udp://127.0.0.1:${socket.address().port}`]);
    await waiting.until(
      () => datagrams.length >= 2,
      15_000,
      () => String(datagrams),
    );
    assert.equal(await stopped(program), 0, program.stderr());
    for (const datagram of datagrams) assert.equal(eventsIn(datagram).length, 3);
  });

  test('that nobody is said once', async (t) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    socket.close();
    const program = startAgent([...SHORT, `emf=udp://127.0.0.1:${port}`]);
    t.after(() => program.kill('SIGKILL'));
    await program.until('a word of it', ({ stderr }) => /nobody takes EMF lines/.test(stderr()));
    await stopped(program);
    assert.equal(program.stderr().match(/nobody takes/g)?.length, 1);
  });
});

test('beside CloudWatch, each output goes its own way', async (t) => {
  const path = join(folderOf(t), 'emf.log');
  const argv = [...SHORT, `emf=${path}`, '--output', 'emf', '--once'];
  const { code, stdout, stderr } = await runAgent(argv);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, readFileSync(path, 'utf8'));
});

test('a dry run shows the lines', async () => {
  const text = await runAgent([...SHORT, 'emf', '--dry-run', '--once']);
  const [line = ''] = text.stdout.split('\n').filter((one) => one.startsWith('  {"_aws"'));
  assert.equal(readEvents([line.trim()]).length, 3);
  const json = await runAgent([...SHORT, 'emf', '--dry-run', '--once', '--log-format', 'json']);
  assert.match(json.stdout, /"type":"window","output":"emf",.*"events":\[\{"_aws"/);
});
