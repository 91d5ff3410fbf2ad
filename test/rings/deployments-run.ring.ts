// Over 200 lines: the places are one after the other, each with what it must refuse.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Around, type Box, boxCommand, insideCommand } from '../support/deployments/box.ts';
import { allLines, at, type Documents, readDocuments } from '../support/deployments/examples.ts';
import { noNewCode, unitFilter } from '../support/deployments/filter.ts';
import { composeBox, ecsBox, podBox } from '../support/deployments/platform.ts';
import { type Metadata, startMetadata } from '../support/deployments/stand-in.ts';
import { pythonTools, run } from '../support/deployments/tools.ts';
import { closeLab, type Lab, labLacks, openLab } from '../support/lab/lab.ts';
import { lacking } from '../support/lab/needs.ts';
import { type Program, start } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';
import type { Datum } from '../support/service/put-metric-data.ts';

const DEADLINE_MS = 60_000;
const STATUS = '/dev/shm/agent-status.json';
const HEALTHY = ['node', '/opt/agent.js', '--healthy', STATUS];
const COMPOSE = 'compose/compose.yaml';
/** Any that nobody has, as systemd gives to DynamicUser. */
const DYNAMIC_USER = 61184;
const JOB_CODE = 3;
/** The app's half a core and the agent's tenth; ECS gives a container no quota of its own. */
const SUM = /cpu\.limit="?0\.6/;
const ONLINE = /cpu\.limit="\d+ \(online CPUs/;

/** `MemTotal` less `MemAvailable`, in percent of it. */
function machineMemory(): number {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const [, total, available] = /MemTotal: +(\d+)\D.*MemAvailable: +(\d+)/s.exec(text) ?? [];
  return 100 - (100 * Number(available)) / Number(total);
}

const python = pythonTools();
const documents: Documents = python.lacking ? new Map() : readDocuments(join(python.bin, 'python'));
const lacks = python.lacking || labLacks('runc');

describe('the examples in containers', { skip: lacks }, () => {
  let lab: Lab;
  let cloudwatch: Cloudwatch;
  let metadata: Metadata;
  let count = 0;

  before(async () => {
    lab = await openLab();
    cloudwatch = await startCloudwatch();
    metadata = await startMetadata();
  });
  after(async () => {
    await closeLab();
    await cloudwatch?.close();
    metadata?.close();
  });

  /** Credentials, the way to our CloudWatch, and windows of a second. */
  const environment = (): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
    METRICS_AGENT_PERIOD: '1',
    METRICS_AGENT_INTERVAL: '0.5',
    METRICS_AGENT_JITTER: '0',
  });

  function begin(box: Box, around: Around = {}): { id: string; agent: Program } {
    count += 1;
    const id = `box${count}`;
    const more = { ...environment(), ...around.environment };
    const [file = '', ...argv] = boxCommand(lab, id, box, { ...around, environment: more });
    return { id, agent: start(file, argv) };
  }

  /** Beside an app of that user, with half a core and 160 MiB, in the PID namespace that it holds. */
  async function beside<Result>(
    user: number,
    act: (pid: string) => Promise<Result>,
  ): Promise<Result> {
    count += 1;
    const id = `app${count}`;
    const pidFile = join(lab.folder, `${id}.pid`);
    const args = ['node', '/app/load.mjs', JSON.stringify({ pinMiB: 50 })];
    const binds = { '/app/load.mjs': lab.load };
    const box: Box = { args, user, capabilities: [], memoryMiB: 160, cores: 0.5, binds };
    const flags = ['--detach', '--pid-file', pidFile];
    const [file = '', ...argv] = boxCommand(lab, id, box, {}, flags);
    execFileSync(file, argv, { stdio: 'ignore' });
    try {
      return await act(`/proc/${readFileSync(pidFile, 'latin1').trim()}/ns/pid`);
    } finally {
      run('runc', ['--root', join(lab.folder, 'state'), 'delete', '--force', id]);
    }
  }

  /** Two windows arrive, the check is content, and SIGTERM ends it well. @returns the data, and its log */
  async function publishes(box: Box, around: Around = {}): Promise<{ data: Datum[]; log: string }> {
    const earlier = cloudwatch.accepted.length;
    const { id, agent } = begin(box, around);
    const arrived = cloudwatch.waitFor(
      ({ accepted }) => accepted.length >= earlier + 2,
      DEADLINE_MS,
    );
    await Promise.race([arrived, agent.ended.then(() => assert.fail(agent.stderr()))]);
    const [file = '', ...argv] = insideCommand(lab, id, box, HEALTHY);
    const check = start(file, argv);
    assert.equal(await check.ended, 0, check.stdout() + check.stderr());
    assert.match(check.stdout(), /^healthy/);
    agent.kill('SIGTERM');
    assert.equal(await agent.ended, 0, agent.stderr());
    const data = cloudwatch.accepted.slice(earlier).flatMap((one) => one.data);
    return { data, log: agent.stderr() };
  }

  for (const [name, box, dimensions] of [
    ['ecs/host-task.json', () => ecsBox(documents, 'ecs/host-task.json'), ['InstanceId']],
    ['ecs/daemon-task.json', () => ecsBox(documents, 'ecs/daemon-task.json'), []],
    [
      'kubernetes/daemonset.yaml',
      () => podBox(documents, 'kubernetes/daemonset.yaml'),
      ['NodeName'],
    ],
    [`${COMPOSE}, host-metrics`, () => composeBox(documents, COMPOSE, 'host-metrics'), []],
  ] as const) {
    test(`${name} measures the machine, without root, a capability or a disk`, async () => {
      const { data, log } = await publishes(box());
      assert.match(log, /scope=host/);
      const memory = data.filter(({ MetricName }) => MetricName === 'MemoryUtilization');
      const [{ Value = Number.NaN } = {}] = memory;
      assert.ok(Math.abs(Value - machineMemory()) < 5, `${Value}, not ${machineMemory()}`);
      for (const { Dimensions = [] } of data) {
        const names = Dimensions.map(({ Name }) => Name);
        assert.deepEqual(names, ['ServiceName', ...dimensions]);
      }
    });
  }

  for (const [name, box, appUser, cpu] of [
    ['ecs/ec2-task.json', () => ecsBox(documents, 'ecs/ec2-task.json'), 1000, ONLINE],
    ['kubernetes/sidecar.yaml', () => podBox(documents, 'kubernetes/sidecar.yaml'), 1000, SUM],
    [
      'kubernetes/job-sidecar.yaml',
      () => podBox(documents, 'kubernetes/job-sidecar.yaml'),
      1000,
      SUM,
    ],
    ['pod-limits.yaml', () => podBox(documents, 'pod-limits.yaml'), 2000, SUM],
    [`${COMPOSE}, metrics`, () => composeBox(documents, COMPOSE, 'metrics'), 2000, SUM],
  ] as const) {
    test(`${name} measures an app of user ${appUser} beside it, by what it asks for and no more`, async () => {
      const { data, log } = await beside(appUser, (pid) => publishes(box(), { pid }));
      assert.match(log, /scope=task source=siblings containers=2 /);
      assert.match(log, cpu);
      assert.match(log, /mem\.limit="288MiB \(limits of 2 containers/);
      assert.ok(data.some(({ MetricName }) => MetricName === 'MemoryUtilization'));
    });
  }

  test('without SYS_PTRACE nothing of an app of another user is published, and the log says why', async () => {
    const box = { ...composeBox(documents, COMPOSE, 'metrics'), capabilities: [] };
    const earlier = cloudwatch.accepted.length;
    await beside(2000, async (pid) => {
      const { agent } = begin(box, { pid });
      await agent.until('reason', ({ stderr }) => /may not read/.test(stderr()), DEADLINE_MS);
      agent.kill('SIGTERM');
      await agent.ended;
    });
    assert.equal(cloudwatch.accepted.length, earlier);
  });

  test('ecs/fargate-emf-task.json writes its windows as log lines, without credentials or a request', async () => {
    const earlier = cloudwatch.requests.length;
    const nobody = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_REGION: '' };
    const { agent } = begin(ecsBox(documents, 'ecs/fargate-emf-task.json'), {
      environment: nobody,
    });
    const events = (): string[] =>
      agent
        .stdout()
        .split('\n')
        .filter((line) => line.startsWith('{"_aws"'));
    await agent.until('two events', () => events().length >= 2, DEADLINE_MS);
    agent.kill('SIGTERM');
    assert.equal(await agent.ended, 0, agent.stderr());
    const event: unknown = JSON.parse(events()[0] ?? '');
    const metrics = at(event, '_aws', 'CloudWatchMetrics', 0);
    assert.deepEqual(
      [at(metrics, 'Namespace'), at(metrics, 'Dimensions'), at(event, 'ServiceName')],
      ['Services', [['ServiceName']], 'api'],
    );
    assert.equal(typeof at(event, 'MemoryUtilization'), 'number');
    assert.equal(cloudwatch.requests.length, earlier);
  });

  describe('around a command', () => {
    const lines = python.lacking
      ? []
      : allLines(documents).filter(({ args }) => args.includes('--'));

    for (const { where, args } of lines.filter((line) => !line.args.includes('--dry-run'))) {
      test(`${where}: the command runs as it stands, and its failure is published`, async () => {
        const job = join(lab.folder, 'python');
        writeFileSync(job, `#!/bin/sh\necho "ran: $*"\nexit ${JOB_CODE}\n`, { mode: 0o755 });
        const box: Box = { args: ['node', '/opt/agent.js', ...args], user: 1000, capabilities: [] };
        const earlier = cloudwatch.accepted.length;
        const around = { METRICS_AGENT_PERIOD: '60', AWS_BATCH_JQ_NAME: 'queue' };
        const { agent } = begin(box, { binds: { '/app/python': job }, environment: around });
        assert.equal(await agent.ended, JOB_CODE, agent.stderr());
        assert.match(agent.stdout(), /^ran: train\.py/m);
        assert.match(agent.stderr(), /"type":"receipt".*"outcome":"failed"/);
        const data = cloudwatch.accepted.slice(earlier).flatMap((one) => one.data);
        const failures = data.filter(({ MetricName }) => MetricName === 'JobFailures');
        assert.deepEqual(
          failures.map(({ Value }) => Value),
          [1],
        );
      });
    }
  });

  describe('as the unit of systemd shuts it in', { skip: lacking('systemd-analyze') }, () => {
    const unit = (): { box: Box; around: Around } => {
      const line = allLines(documents).find(({ where }) => /STATE_DIRECTORY/.test(where));
      const args = (line?.args ?? []).map((word) =>
        word
          .replace(/\$\{STATE_DIRECTORY\}/, '/dev/shm/spool')
          .replace(/\$\{RUNTIME_DIRECTORY\}\/status.json/, STATUS),
      );
      const box = {
        args: ['node', '/opt/agent.js', ...args],
        user: DYNAMIC_USER,
        capabilities: [],
      };
      return { box, around: { pid: 'machine', seccomp: unitFilter(), procOptions: ['hidepid=2'] } };
    };

    test('it measures the machine, publishes and is healthy', async () => {
      const { box, around } = unit();
      const { data, log } = await publishes(box, around);
      assert.match(log, /scope=host/);
      assert.ok(data.some(({ MetricName }) => MetricName === 'CPUUtilization'));
    });

    test('ProcSubset=pid would leave it nothing to measure', async () => {
      const { box, around } = unit();
      const once = { ...box, args: [...box.args, '--once'] };
      const { agent } = begin(once, { ...around, procOptions: ['hidepid=2', 'subset=pid'] });
      assert.equal(await agent.ended, 1);
      assert.match(agent.stderr(), /\/proc\/stat/);
    });

    test('MemoryDenyWriteExecute would end Node', async () => {
      const { box, around } = unit();
      const { agent } = begin(box, { ...around, seccomp: noNewCode() });
      assert.notEqual(await agent.ended, 0);
      assert.doesNotMatch(agent.stderr(), /scope=/);
    });

    test('its check reads the status of another user by CAP_DAC_READ_SEARCH alone', async () => {
      const status = join(lab.folder, 'status');
      mkdirSync(status, { mode: 0o700, recursive: true });
      const { box } = unit();
      chownSync(status, DYNAMIC_USER, DYNAMIC_USER);
      const file = join(status, 'status.json');
      const flags = ['--dry-run', '--log-format', 'json', '--period', '1', '--status-file', file];
      const agent = start(process.execPath, [lab.agent, ...flags]);
      const windows = (): number => agent.stdout().split('"type":"window"').length - 1;
      await agent.until('two windows', () => windows() >= 2, DEADLINE_MS);
      const check = {
        ...box,
        args: ['node', '/opt/agent.js', '--healthy', '/run/status.json'],
        user: 0,
      };
      const around = { seccomp: unitFilter(), procOptions: ['subset=pid'], networkless: true };
      const binds = { '/run': status };
      const able = begin({ ...check, capabilities: ['CAP_DAC_READ_SEARCH'] }, { ...around, binds });
      assert.equal(await able.agent.ended, 0, able.agent.stdout() + able.agent.stderr());
      const unable = begin(check, { ...around, binds });
      assert.equal(await unable.agent.ended, 1);
      assert.match(unable.agent.stdout() + unable.agent.stderr(), /EACCES/);
      agent.kill('SIGTERM');
      assert.equal(await agent.ended, 0);
    });
  });
});
