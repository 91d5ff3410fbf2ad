// Over 200 lines: the receipt of real containers, and the page in a real browser.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reasonOf } from '../../src/errors.ts';
import { createFigures, PLACES } from '../../src/metrics/figures.ts';
import type { RunFacts } from '../../src/report/facts.ts';
import { Folds } from '../../src/report/folds.ts';
import { reportPage } from '../../src/report/page.ts';
import { receiptOf } from '../../src/report/receipt.ts';
import { closeLab, type Lab, labLacks, makeSparseFile, openLab } from '../support/lab/lab.ts';
import { lacking } from '../support/lab/needs.ts';
import { type Container, containerCommand } from '../support/lab/oci.ts';
import { type Program, start, startAgent } from '../support/program.ts';
import { type Moto, startMoto } from '../support/service/moto.ts';

const MIB = 2 ** 20;
const QUIET = ['--dry-run', '--log-format', 'json', '--log-level', 'error'];

interface Ended {
  readonly code: number | string;
  readonly stderr: string;
  readonly stdout: string;
  readonly receipt: Readonly<Record<string, number | string | undefined>>;
  readonly notes: readonly string[];
}

async function ended(program: Program): Promise<Ended> {
  const code = await program.ended;
  const lines = program
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{"type":"receipt"'));
  assert.equal(lines.length, 1, program.stderr() + program.stdout());
  const receipt = JSON.parse(lines[0] ?? '');
  const { stderr, stdout } = program;
  return { code, stderr: stderr(), stdout: stdout(), receipt, notes: receipt.notes };
}

/** Of the windows that a dry run showed, added up. */
function metricOf(stdout: string, name: string): number {
  const windows = stdout.split('\n').filter((line) => line.includes('"MetricData"'));
  const data: { MetricName: string; Value: number }[] = windows.flatMap((line) => {
    return JSON.parse(line).request.MetricData;
  });
  const values = data.filter(({ MetricName }) => MetricName === name).map(({ Value }) => Value);
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0);
}

describe('the receipt under runc', { skip: labLacks('runc', 'tini'), concurrency: 3 }, () => {
  let lab: Lab;
  let count = 0;

  before(async () => {
    lab = await openLab();
  });
  after(closeLab);

  /** The job around which the agent is the container's main process. */
  function contained(
    job: readonly string[],
    container: Omit<Container, 'cgroup' | 'args'>,
    flags: readonly string[] = [],
    prefix: readonly string[] = [],
  ): Program {
    count += 1;
    const id = `job-${count}`;
    const args: Container['args'] = ({ node, agent }) => {
      const words = job.map((word) => (word === 'NODE' ? node : word));
      return [...prefix, node, agent, ...QUIET, ...flags, '--', ...words];
    };
    const [command = '', ...argv] = containerCommand(lab, 'runc', id, {
      ...container,
      cgroup: lab.cgroup.child(id),
      args,
    });
    return start(command, argv);
  }

  test('an OOM kill is explained: limit, level, what was held and by whom', async () => {
    // Slowly, so that it is seen before it is killed.
    const hog = `const held = []; setInterval(() => held.push(Buffer.alloc(8 * ${MIB}, 1)), 100);`;
    const limits = { memoryMiB: 160 };
    const { code, receipt, notes } = await ended(contained(['NODE', '-e', hog], { limits }));
    assert.equal(code, 137);
    assert.equal(receipt['outcome'], 'failed');
    assert.equal(receipt['oomKills'], 1);
    const [note = ''] = notes;
    assert.match(note, /^killed for want of memory at the limit of 160 MiB \(/);
    assert.match(note, /MiB were held at most, by node \d+ MiB/);
    assert.match(note, /a memory limit of 240 MiB/);
    assert.equal(receipt['adviceMemoryBytes'], 240 * MIB);
  });

  test('an OOM kill of what the job ran is explained as well', async () => {
    const hog = `const held = []; for (;;) held.push(Buffer.alloc(8 * ${MIB}, 1));`;
    const job = ['sh', '-c', `"$0" -e '${hog}'; exit $?`, 'NODE'];
    const { code, notes } = await ended(contained(job, { limits: { memoryMiB: 160 } }));
    assert.equal(code, 137);
    assert.match(notes[0] ?? '', /^killed for want of memory/);
  });

  test('50 plain SIGKILLs are no OOM kills', async () => {
    const kill = async (): Promise<void> => {
      const { code, receipt, notes } = await ended(
        contained(['sh', '-c', 'kill -KILL $$'], { limits: { memoryMiB: 160 } }),
      );
      assert.equal(code, 137);
      assert.equal(receipt['oomKills'], 0);
      assert.ok(!notes.some((note) => note.includes('want of memory')));
    };
    const rounds = Number(process.env['SIGKILLS'] ?? '50') / 2;
    for (let round = 0; round < rounds; round += 1) await Promise.all([kill(), kill()]);
  });

  test('codes and signals as under tini', async () => {
    const jobs = [
      'exit 0',
      'exit 1',
      'exit 7',
      'exit 126',
      'exit 255',
      'kill -9 $$',
      'kill -15 $$',
    ];
    const more = ['kill -2 $$', 'kill -10 $$', 'kill -1 $$', 'kill -11 $$', 'kill -6 $$'];
    for (const job of [...jobs, ...more]) {
      const words = ['sh', '-c', job];
      const tini: Container['args'] = () => ['tini', '--', ...words];
      count += 1;
      const id = `tini-${count}`;
      const [command = '', ...argv] = containerCommand(lab, 'runc', id, {
        cgroup: lab.cgroup.child(id),
        args: tini,
      });
      const [ours, bare, theirs] = await Promise.all([
        contained(words, {}, ['--receipt', 'none'], ['tini', '--']).ended,
        contained(words, {}, ['--receipt', 'none']).ended,
        start(command, argv).ended,
      ]);
      assert.equal(ours, theirs, job);
      assert.equal(bare, theirs, job);
    }
  });

  const HOLD = `const held = Buffer.alloc(200 * ${MIB}, 1);
    const endMs = Date.now() + 33000; let sum = 0;
    const work = () => { const until = Date.now() + 30; while (Date.now() < until) sum += held[0];
      if (Date.now() < endMs) setTimeout(work, 70); };
    work();`;

  test('a right size: from what is held, whatever is read from the disk; and the job fits', async () => {
    const file = join(lab.folder, 'ten-times');
    makeSparseFile(file, 2000);
    const read = `const fs = require('fs'); const fd = fs.openSync('/data');
      const chunk = Buffer.alloc(4 * ${MIB}); const next = () => fs.read(fd, chunk, 0, chunk.length, null,
        (error, bytes) => { if (bytes > 0) setImmediate(next); });
      next(); setTimeout(() => process.exit(), 33500);`;
    const limits = { memoryMiB: 1024, cores: 1 };
    const [plain, reading] = await Promise.all([
      ended(contained(['NODE', '-e', HOLD], { limits })),
      ended(contained(['NODE', '-e', HOLD + read], { limits, files: { '/data': file } })),
    ]);
    const [size, other] = [plain, reading].map(({ receipt }) =>
      Number(receipt['adviceMemoryBytes']),
    );
    assert.ok(size !== undefined && size > 240 * MIB && size < 400 * MIB, plain.stderr);
    assert.ok(other !== undefined && Math.abs(other / size - 1) < 0.05, `${size} and ${other}`);
    const cores = Number(plain.receipt['adviceCores']);
    assert.ok(cores > 0.25 && cores < 0.6, `${cores}`);
    const memoryMiB = Number(plain.receipt['batchMemory']);
    // The agent's own memory is not in the advice.
    const rerun = await ended(
      contained(['NODE', '-e', HOLD.replace('33000', '12000')], {
        limits: { memoryMiB, cores: Number(plain.receipt['fargateCpu']) / 1024 },
      }),
    );
    assert.equal(rerun.code, 0, rerun.stderr);
    assert.equal(rerun.receipt['oomKills'], 0);
    assert.ok(Number(rerun.receipt['cpuThrottledPercent']) < 5, rerun.stderr);
  });

  test('what no one reads is stated: orphans that were never ours stay as zombies of process 1', async () => {
    const orphan =
      '(sh -c "sleep 0.1; exit 0" &) ; sleep 0.6; cat /proc/[0-9]*/stat | grep -c ") Z "';
    const { stdout } = await ended(contained(['sh', '-c', `${orphan}; true`], {}));
    const reaped = await ended(contained(['sh', '-c', `${orphan}; true`], {}, [], ['tini', '--']));
    assert.equal(Number(/^\d+$/m.exec(stdout)?.[0]), 1);
    assert.equal(Number(/^\d+$/m.exec(reaped.stdout)?.[0]), 0);
  });

  test('block I/O is within 1 % of what was written', async (t) => {
    // Some kernels count nothing before some group has a limit: a high one, in a group that goes at once.
    const group = join('/sys/fs/cgroup/blkio', `cg-lab-blkio-${process.pid}`);
    mkdirSync(group);
    try {
      const { dev } = statSync(lab.folder);
      const device = `${dev >> 8}:${dev & 255}`;
      writeFileSync(join(group, 'blkio.throttle.write_bps_device'), `${device} 100000000000`);
    } catch (error) {
      return t.skip(`the disk's device cannot have a limit: ${reasonOf(error)}`);
    } finally {
      rmdirSync(group);
    }
    const path = join(lab.folder, 'written');
    mkdirSync(path);
    const written = 128;
    const job = `dd if=/dev/zero of=/out/file bs=1M count=${written} oflag=direct status=none; sleep 1`;
    const program = contained(['sh', '-c', job], { writable: { '/out': path } });
    const { receipt, code, stderr } = await ended(program);
    assert.equal(code, 0, stderr);
    const share = Number(receipt['blockWriteBytes']) / (written * MIB);
    assert.ok(Math.abs(share - 1) < 0.01, `${share}`);
  });
});

describe('the network of a namespace', { skip: lacking('ip', 'unshare') }, () => {
  test('is within 1 % of a known gibibyte', { skip: process.getuid?.() !== 0 }, async () => {
    const name = `job${process.pid % 10000}`;
    const sh = (text: string): void => {
      const { status, stderr } = spawnSync('sh', ['-ec', text], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    };
    try {
      sh(`ip netns add ${name}; ip link add ${name}a type veth peer name ${name}b
        ip link set ${name}b netns ${name}; ip addr add 198.51.100.1/30 dev ${name}a; ip link set ${name}a up
        ip netns exec ${name} ip addr add 198.51.100.2/30 dev ${name}b
        ip netns exec ${name} ip link set ${name}b up`);
      const bytes = 2 ** 30;
      const { createServer } = await import('node:net');
      const server = createServer((socket) => socket.on('error', () => undefined).resume());
      await new Promise<void>((resolve) => server.listen(0, '198.51.100.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const send = `const s = require('net').connect(${port}, '198.51.100.1'); const b = Buffer.alloc(1 << 20);
        let left = 1024; const next = () => left-- > 0 ? s.write(b, next) : s.end(); s.on('connect', next);
        s.on('close', () => setTimeout(() => process.exit(), 1100));`;
      const program = start('ip', [
        'netns',
        'exec',
        name,
        process.execPath,
        AGENT_PATH,
        ...QUIET,
        '--metrics',
        'NetworkTransmitBytes,CPUUtilization',
        '--',
        process.execPath,
        '-e',
        send,
      ]);
      const code = await program.ended;
      server.close();
      assert.equal(code, 0, program.stderr());
      const sent = metricOf(program.stdout(), 'NetworkTransmitBytes');
      // The other end's own count: headers are up to 4 % where the machine is too busy for long packets.
      const path = `/sys/class/net/${name}a/statistics/rx_bytes`;
      const received = Number(readFileSync(path, 'latin1'));
      assert.ok(Math.abs(sent / received - 1) < 0.01 && sent >= bytes, `${sent} of ${received}`);
    } finally {
      spawnSync('sh', ['-c', `ip netns del ${name}; ip link del ${name}a`]);
    }
  });
});

const AGENT_PATH = new URL('../../dist/agent.js', import.meta.url).pathname;

describe('nvidia-smi', { concurrency: 3 }, () => {
  const stands: Readonly<Record<string, string>> = {
    answers: 'while :; do echo "0, 40, 10, 100"; echo "1, 60, 30, 100"; sleep 0.3; done',
    dies: 'echo "0, 40, 10, 100"; sleep 0.5; exit 9',
    hangs: 'exec sleep 60',
    'knows nothing': 'while :; do echo "0, [N/A], [N/A], [N/A]"; sleep 0.3; done',
    'is talkative': 'while :; do head -c 100000 /dev/zero | tr "\\\\0" x; done',
  };

  function beside(script: string | undefined, metrics: string): Program {
    const bin = mkdtempSync(join(tmpdir(), 'smi-'));
    if (script !== undefined) {
      writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    const flags = [
      '--dry-run',
      '--log-format',
      'json',
      '--log-level',
      'info',
      '--metrics',
      metrics,
    ];
    const program = startAgent([...flags, '--', 'sleep', '2.5'], {
      environment: { PATH: `${bin}:${process.env['PATH']}` },
    });
    program.ended.then(() => rmSync(bin, { recursive: true, force: true }));
    return program;
  }

  for (const [name, script] of Object.entries(stands)) {
    test(`one that ${name} costs no sample`, async () => {
      const { code, stdout, receipt } = await ended(
        beside(script, 'CPUUtilization,GPUUtilization'),
      );
      assert.equal(code, 0);
      assert.ok(Number(receipt['samples']) >= 2);
      const gpu = metricOf(stdout, 'GPUUtilization');
      if (name === 'answers') assert.equal(gpu, 50);
      if (name === 'hangs' || name === 'knows nothing') assert.equal(gpu, Number.NaN);
    });
  }

  test('its absence is one info line', async () => {
    const { stderr } = await ended(beside(undefined, 'CPUUtilization,GPUUtilization'));
    assert.equal(stderr.match(/no GPU figures/g)?.length, 1);
  });

  test('it is not started where it is not wanted', async () => {
    const { stderr } = await ended(beside('touch /tmp/smi-was-started', 'CPUUtilization'));
    assert.ok(!existsSync('/tmp/smi-was-started'), stderr);
  });
});

describe('the report', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'report-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('as a file, whole or not at all', async () => {
    const [html, json] = [join(folder, 'run.html'), join(folder, 'run.json')];
    for (const path of [html, json]) {
      const program = startAgent([...QUIET, '--report', path, '--', 'sleep', '1.2']);
      assert.equal(await program.ended, 0, program.stderr());
    }
    assert.match(readFileSync(html, 'utf8'), /^<!doctype html>.*<\/html>\n$/s);
    const report = JSON.parse(readFileSync(json, 'utf8'));
    assert.equal(report.version, 1);
    assert.ok(report.buckets.length >= 1);
  });

  test('one that cannot be written costs a line, and not the exit code', async () => {
    const program = startAgent([...QUIET, '--report', '/nowhere/run.html', '--', 'true']);
    assert.equal(await program.ended, 0);
    assert.match(program.stderr(), /the report is not written.*ENOENT/);
  });

  describe('on S3', { skip: lacking('moto_server') }, () => {
    let moto: Moto;

    before(async () => {
      moto = await startMoto();
      await fetch(`${moto.url}/reports`, { method: 'PUT', headers: { authorization: AS_S3 } });
    });
    after(() => moto.stop());

    const environment = (): Record<string, string> => ({
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_S3: moto.url,
    });

    test('is put there', async () => {
      const where = 's3://reports/a b/$run+1.html';
      const program = startAgent([...QUIET, '--report', where, '--', 'sleep', '0.3'], {
        environment: environment(),
      });
      assert.equal(await program.ended, 0);
      assert.doesNotMatch(program.stderr(), /not written/);
      const got = await fetch(`${moto.url}/reports/a%20b/%24run%2B1.html`, {
        headers: { authorization: AS_S3 },
      });
      assert.equal(got.status, 200);
      assert.match(got.headers.get('content-type') ?? '', /^text\/html/);
      assert.match(await got.text(), /^<!doctype html>.*<\/html>\n$/s);
    });

    test('a bucket that is not there costs a line, and not the exit code', async () => {
      const flags = [...QUIET, '--report', 's3://nowhere-at-all/run.json', '--', 'true'];
      const program = startAgent(flags, { environment: environment() });
      assert.equal(await program.ended, 0);
      assert.match(program.stderr(), /the report is not written.*NoSuchBucket/);
    });
  });
});

const AS_S3 = 'AWS4-HMAC-SHA256 Credential=AKIDADMIN/20260101/us-east-1/s3/aws4_request';

describe('the page in Chromium', { skip: lacking('chromium') }, () => {
  const START_MS = Date.UTC(2026, 10, 25, 12);
  const facts: RunFacts = {
    command: 'python',
    startMs: START_MS,
    durationMs: 7 * 86_400_000,
    exitCode: 137,
    signal: 'SIGKILL',
    wasAsked: false,
    isNotStarted: false,
    system: 'batch',
    scope: 'container',
    tallied: {
      samples: 600_000,
      cpuMedianCores: 1.2,
      cpuP95Cores: 1.9,
      cpuPeakCores: { value: 2, atMs: START_MS + 5e6 },
      cpuLimitCores: 2,
      heldPeak: { value: 3.9 * 2 ** 30, atMs: START_MS + 6e7 },
      workingSetPeak: { value: 4 * 2 ** 30, atMs: START_MS + 6e7 },
      memoryLimitBytes: 4 * 2 ** 30,
      gpuMostPercent: Number.NaN,
      gpuMemoryMostPercent: Number.NaN,
      oomKills: 1,
    },
    cpuSeconds: 700_000,
    periods: 1000,
    throttled: 200,
    kernelPeak: { value: 4 * 2 ** 30, atMs: START_MS },
    swapPeakBytes: 0,
    oomKills: 1,
    oomLevel: { folder: '/sys/fs/cgroup', limitBytes: 4 * 2 ** 30 },
    largest: [{ name: 'python', bytes: 3.8 * 2 ** 30 }],
    blockRead: 1e9,
    blockWritten: 2e9,
    networkReceived: 3e9,
    networkTransmitted: 4e9,
    windowsSent: 10_080,
    windowsSpooled: 0,
    windowsLost: 0,
  };
  let folder: string;
  let page: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'page-'));
    const folds = new Folds(START_MS);
    const figures = createFigures();
    for (let second = 0; second < 7 * 86_400; second += 9) {
      figures[PLACES.cpuCores] = 1 + Math.sin(second / 30_000) * 0.8 + (second % 11) / 60;
      figures[PLACES.cpuThrottled] = second % 86_400 < 9000 ? 30 : 0;
      figures[PLACES.memoryHeld] = (1 + (2.9 * second) / 604_800) * 2 ** 30;
      figures[PLACES.memoryUsed] = (1.2 + (2.7 * second) / 604_800) * 2 ** 30;
      figures[PLACES.oomKills] = second === 604_791 ? 1 : 0;
      folds.add(figures, START_MS + second * 1000);
    }
    page = reportPage(facts, receiptOf(facts), folds);
    writeFileSync(join(folder, 'page.html'), page);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function chromium(...flags: readonly string[]): string {
    const always = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
    const own = [
      `--user-data-dir=${join(folder, 'profile')}`,
      '--no-first-run',
      '--hide-scrollbars',
    ];
    const { stdout, status, stderr } = spawnSync('chromium', [...always, ...own, ...flags], {
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 64 * MIB,
    });
    assert.equal(status, 0, stderr.slice(-2000));
    return stdout;
  }

  for (const [name, size] of Object.entries({
    phone: '390,844',
    desktop: '1440,900',
    narrow: '320,640',
  })) {
    test(`has a picture at ${name} width, and nothing wider than that`, () => {
      const kept = process.env['SCREENSHOTS'] ?? folder;
      const path = join(kept, `${name}.png`);
      chromium(
        `--window-size=${size}`,
        `--screenshot=${path}`,
        `file://${join(folder, 'page.html')}`,
      );
      assert.ok(statSync(path).size > 10_000);
      // A frame of that width, since a window has a least width of its own.
      const [width] = size.split(',');
      const frame = `<body><iframe id=f width=${width} height=800 srcdoc="${page.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>
        <script>onload = () => { const d = f.contentDocument.documentElement; document.title = d.scrollWidth + ' of ' + d.clientWidth; };</script>`;
      writeFileSync(join(folder, 'frame.html'), frame);
      const dom = chromium(
        '--virtual-time-budget=3000',
        '--dump-dom',
        `file://${join(folder, 'frame.html')}`,
      );
      const [, scroll, client] = /<title>(\d+) of (\d+)<\/title>/.exec(dom) ?? [];
      assert.ok(Number(scroll) <= Number(client) && Number(client) > 0, `${scroll} of ${client}`);
    });
  }

  for (const scheme of ['light', 'dark']) {
    test(`axe finds nothing in ${scheme}`, () => {
      const axe = readFileSync(
        createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
        'utf8',
      );
      const run = `<script>${axe}</script><script>axe.run().then(({ violations, passes }) => {
        const found = violations.map(({ id, nodes }) => id + ' ' + nodes.length + ' ' + nodes[0].html).join(' | ');
        document.title = 'axe ' + passes.length + ' passed: ' + found; });</script></body>`;
      writeFileSync(
        join(folder, 'axe.html'),
        page.replace('</body>', () => run),
      );
      const dark =
        scheme === 'dark' ? ['--blink-settings=preferredColorScheme=0', '--force-dark-mode'] : [];
      const dom = chromium(
        ...dark,
        '--virtual-time-budget=20000',
        '--dump-dom',
        `file://${join(folder, 'axe.html')}`,
      );
      assert.match(dom, /<title>axe \d+ passed: <\/title>/, /<title>[^<]*/.exec(dom)?.[0]);
    });
  }
});
