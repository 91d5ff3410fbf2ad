import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { encodePage } from '../../src/otlp/encode.ts';
import { batches, catalogWindow } from '../support/otlp.ts';
import { DEADLINE_MS, type Program, startAgent } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';
import { decodeOtlp, type OtlpPoint } from '../support/service/otlp.ts';

/** Read by parsers that nobody here wrote: protobuf's for JSON, and the collector's own receiver. */

const WINDOWS = Number(process.env['OTLP_WINDOWS'] ?? 10_000);
const SUPPORT = fileURLToPath(new URL('../support/', import.meta.url));
const PACKAGE = 'opentelemetry-proto==1.45.2';
const BUILD_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'otlp-ring-'));
const children: ChildProcess[] = [];

after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** What went wrong with a command; nothing where it went well. */
function failureOf(command: string, argv: readonly string[], cwd?: string): string | undefined {
  const options = { encoding: 'utf8', timeout: BUILD_MS, ...(cwd && { cwd }) } as const;
  const { status, stderr, error } = spawnSync(command, argv, options);
  if (status === 0) return undefined;
  return `${command} ${argv[0]}: ${error?.message ?? stderr?.trim().split('\n').at(-1)}`;
}

/** Bodies of at least so many windows. */
function bodiesOf(windows: number): string[] {
  let count = 0;
  const bodies: string[] = [];
  while (count < windows) {
    for (const batch of fc.sample(batches, 500)) {
      bodies.push(encodePage(batch, { isFraction: false }).body(0));
      count += batch.length;
    }
  }
  return bodies;
}

/** A point as all parsers tell it. */
type Told = Pick<OtlpPoint, 'name' | 'unit' | 'resource' | 'attributes' | 'timeMs'> & {
  readonly startMs: number;
  readonly value: number;
};

function told({ resource, name, unit, attributes, timeMs, startMs = 0, ...rest }: OtlpPoint): Told {
  const value = rest.count ?? rest.value ?? Number.NaN;
  return { resource, name, unit, attributes, timeMs, startMs, value };
}

function isTold(value: unknown): value is Told & { isDelta: boolean; kind: string; count: number } {
  return typeof value === 'object' && value !== null && 'timeMs' in value && 'resource' in value;
}

function parsed(value: unknown): Told {
  assert.ok(isTold(value));
  const { resource, name, unit, attributes, timeMs, startMs, value: figure } = value;
  if (value.kind !== 'gauge' && value.kind !== 'Gauge') assert.equal(value.isDelta, true);
  const isGo = value.kind === 'ExponentialHistogram';
  return { resource, name, unit, attributes, timeMs, startMs, value: isGo ? value.count : figure };
}

test(`protobuf’s strict parser reads ${WINDOWS} windows as they were meant`, async (t) => {
  const python = join(folder, 'venv', 'bin', 'python');
  const failed =
    failureOf('python3', ['-m', 'venv', join(folder, 'venv')]) ??
    failureOf(python, ['-m', 'pip', 'install', '--quiet', PACKAGE]);
  if (failed !== undefined) return t.skip(failed);
  const child = spawn(python, [join(SUPPORT, 'otlp-decode.py')]);
  children.push(child);
  let complaint = '';
  child.stderr.on('data', (text) => {
    complaint += text;
  });
  const bodies = bodiesOf(WINDOWS);
  child.stdin.on('error', () => undefined).end(`${bodies.join('\n')}\n`);
  let read = 0;
  for await (const line of createInterface(child.stdout)) {
    const points: unknown = JSON.parse(line);
    assert.ok(Array.isArray(points));
    const expected = decodeOtlp(bodies[read] ?? '').map(told);
    assert.deepEqual(points.map(parsed), expected);
    read += 1;
  }
  assert.equal(complaint, '');
  assert.equal(read, bodies.length);
});

describe('the collector’s own receiver', () => {
  const receiver = join(folder, 'receiver');
  const source = join(SUPPORT, 'otlp-receiver');
  const failed = failureOf('go', ['build', '-o', receiver, '.'], source);

  async function started(): Promise<{
    url: string;
    lines: string[];
    until: Until;
    end: () => Promise<void>;
  }> {
    const child = spawn(receiver, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const lines: string[] = [];
    const reader = createInterface(child.stdout);
    reader.on('line', (line) => lines.push(line));
    const until: Until = async (count) => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (lines.length < count) await once(reader, 'line', { signal });
    };
    await until(1);
    const url = (lines.shift() ?? '').replace('listening ', '');
    const end = async (): Promise<void> => {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
    };
    return { url, lines, until, end };
  }

  test('takes what the encoder writes, compressed and not', async (t) => {
    if (failed !== undefined) return t.skip(failed);
    const { url, lines, until, end } = await started();
    const bodies = bodiesOf(200);
    const expected = bodies.flatMap((body) => decodeOtlp(body).map(told));
    for (const [index, body] of bodies.entries()) {
      const isGzip = index % 2 === 1;
      const answer = await fetch(`${url}/v1/metrics`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(isGzip && { 'content-encoding': 'gzip' }),
        },
        body: isGzip ? gzipSync(body) : body,
      });
      assert.deepEqual([answer.status, await answer.text()], [200, '{"partialSuccess":{}}']);
    }
    await until(expected.length);
    await end();
    assert.deepEqual(
      lines.map((line) => parsed(JSON.parse(line))),
      expected,
    );
  });

  test('takes what the built agent sends it, unsigned, until the last window at SIGTERM', async (t) => {
    if (failed !== undefined) return t.skip(failed);
    const { url, lines, until, end } = await started();
    const names = ['--namespace', 'Ring', '--service', 'agent', '--dimension', 'Stage=test'];
    const how = ['--period', '1', '--interval', '0.2', '--sign', 'never', '--metrics', 'all'];
    const agent = startAgent([...names, ...how, '--output', `otlp=${url}`, '--jitter', '0']);
    await until(1);
    agent.kill('SIGTERM');
    assert.equal(await agent.ended, 0, agent.stderr());
    await end();
    const points = lines.map((line) => parsed(JSON.parse(line)));
    assert.ok(points.length >= (2 * catalogWindow('median').data.length) / 4, `${points.length}`);
    for (const { resource } of points) {
      const { 'service.name': service, 'service.namespace': space, Stage: stage } = resource;
      assert.deepEqual([service, space, stage], ['agent', 'Ring', 'test']);
    }
    const cpu = points.filter(({ name }) => name === 'system.cpu.utilization');
    assert.ok(cpu.length > 0 && cpu.every(({ value }) => value >= 0 && value <= 1));
  });
});

test('the spool keeps each output’s windows over a kill, as whose they are', async () => {
  const [classic, other] = [await startCloudwatch(), await startCloudwatch()];
  const environment = {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: classic.url,
  };
  const outputs = ['--output', 'cloudwatch', '--output', `otlp=${other.url}`];
  const pace = ['--period', '1', '--interval', '0.5', '--jitter', '0', '--log-level', 'debug'];
  const kept = ['--metrics', 'SampleCount', '--spool', join(folder, 'spool')];
  const argv = ['--namespace', 'Ring', '--service', 'spool', ...outputs, ...pace, ...kept];
  const begin = (run: string): Program => {
    const program = startAgent(argv, {
      environment: { ...environment, OTEL_RESOURCE_ATTRIBUTES: `run=${run}` },
    });
    children.push(program.child);
    return program;
  };
  try {
    for (const one of [classic, other]) one.play(() => serviceUnavailable());
    const victim = begin('first');
    const onDisk = (output: string) => (program: Program) =>
      new RegExp(`windows are on disk.* output="?${output}`).test(program.stderr());
    await victim.until('OTLP on disk', onDisk('otlp'));
    await victim.until('the others on disk', onDisk('cloudwatch'));
    victim.kill('SIGKILL');
    await victim.ended;
    const heir = begin('second');
    const taken = ({ stderr }: Program): boolean =>
      (stderr().match(/are taken over .*output=/g) ?? []).length >= 2;
    await heir.until('both taken over', taken, 80_000);
    for (const one of [classic, other]) one.calm();
    heir.kill('SIGTERM');
    assert.equal(await heir.ended, 0, heir.stderr());
    assert.ok(classic.accepted.every(({ points }) => points === undefined));
    assert.ok(other.accepted.every(({ data }) => data.length === 0));
    const points = other.accepted.flatMap((one) => one.points ?? []);
    const runs = new Set(points.map(({ resource }) => resource['run']));
    assert.deepEqual([...runs].sort(), ['first', 'second']);
    const starts = points.map(({ startMs }) => startMs);
    assert.equal(new Set(starts).size, starts.length);
  } finally {
    await classic.close();
    await other.close();
  }
});

type Until = (lines: number) => Promise<void>;
