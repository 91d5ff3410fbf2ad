import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EntityFinder, type EntityOptions, findEntity } from '../../src/metadata/entity.ts';
import type { Entity } from '../../src/metrics/publication.ts';
import { startTaskServer } from '../support/aws/task-metadata.ts';
import { type Program, runAgent, startAgent } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';

const POD = 'web-7d4b9c6f5d-x2x4z';
const { signal } = new AbortController();

function place(over: Partial<EntityOptions> = {}): EntityOptions {
  return {
    environment: {},
    hostname: POD,
    metadata: () => Promise.resolve(undefined),
    imds: { get: () => Promise.resolve('i-0123456789abcdef0') },
    service: 'said',
    readText: () => '',
    ...over,
  };
}

function pod(environment: Record<string, string>, over: Partial<EntityOptions> = {}) {
  const readText = (): string => 'payments';
  const all = { KUBERNETES_SERVICE_HOST: '10.0.0.1', ...environment };
  return place({ environment: all, readText, ...over });
}

describe('what the metrics are of', () => {
  test('is the EC2 instance where nothing else is around', async () => {
    assert.deepEqual(await findEntity(place(), signal), {
      keys: {
        Type: 'AWS::Resource',
        ResourceType: 'AWS::EC2::Instance',
        Identifier: 'i-0123456789abcdef0',
      },
      attributes: {},
    });
  });

  test('is the EKS workload, by the agent’s own forms', async () => {
    const environment = {
      K8S_CLUSTER_NAME: 'main',
      K8S_NODE_NAME: 'ip-10-0-0-1',
      AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/secrets/eks.amazonaws.com/serviceaccount/token',
    };
    assert.deepEqual(await findEntity(pod(environment), signal), {
      keys: { Type: 'Service', Name: 'web', Environment: 'eks:main/payments' },
      attributes: {
        PlatformType: 'AWS::EKS',
        'EKS.Cluster': 'main',
        'K8s.Namespace': 'payments',
        'K8s.Workload': 'web',
        'K8s.Node': 'ip-10-0-0-1',
        'K8s.Pod': POD,
      },
    });
  });

  const pods: [
    environment: Record<string, string>,
    hostname: string,
    name: string,
    where: string,
  ][] = [
    [{ K8S_CLUSTER_NAME: 'c' }, 'db-0', 'db', 'k8s:c/payments'],
    [{ K8S_CLUSTER_NAME: 'c' }, 'node-agent-x2x4z', 'node-agent', 'k8s:c/payments'],
    [{ K8S_CLUSTER_NAME: 'c' }, 'single', 'said', 'k8s:c/payments'],
    [
      {
        OTEL_RESOURCE_ATTRIBUTES:
          'k8s.cluster.name=a%20b,k8s.namespace.name=n,k8s.deployment.name=api,cloud.platform=aws_eks',
      },
      POD,
      'api',
      'eks:a b/n',
    ],
    [
      {
        OTEL_RESOURCE_ATTRIBUTES: 'k8s.cluster.name=%zz',
        AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      },
      POD,
      'web',
      'eks:%zz/payments',
    ],
  ];
  for (const [environment, hostname, name, where] of pods) {
    test(`in the pod ${hostname} is ${name} in ${where}`, async () => {
      const found = await findEntity(pod(environment, { hostname }), signal);
      assert.ok(typeof found !== 'string', String(found));
      assert.deepEqual(found.keys, { Type: 'Service', Name: name, Environment: where });
    });
  }

  test('is missing in a pod that does not know its cluster, and says how to tell it', async () => {
    assert.match(String(await findEntity(pod({}), signal)), /set K8S_CLUSTER_NAME/);
    const without = pod({ K8S_CLUSTER_NAME: 'c' }, { readText: () => '' });
    assert.match(String(await findEntity(without, signal)), /namespace/);
  });

  test('is looked for again after ten minutes, and said once', async () => {
    const said: (Entity | string)[] = [];
    let nowMs = 0;
    let asked = 0;
    const finder = new EntityFinder({
      ...place({
        imds: {
          get: async () => {
            asked += 1;
            if (asked < 3) throw new Error('no answer');
            return 'i-1';
          },
        },
      }),
      monoMs: () => nowMs,
      say: (one) => said.push(one),
    });
    const own = [{ Name: 'ServiceName', Value: 's' }];
    finder.own(own);
    for (nowMs = 0; nowMs <= 1_800_000; nowMs += 60_000) await finder.find(signal);
    assert.equal(asked, 3);
    assert.equal(said.length, 2);
    const mine = { namespace: 'N', dimensions: own, highResolution: false };
    assert.equal(finder.entityOf(mine)?.keys['Identifier'], 'i-1');
    assert.equal(finder.entityOf({ ...mine, dimensions: [...own] }), undefined);
  });
});

const ARGUMENTS = ['--namespace', 'N', '--service', 'said', '--period', '1', '--interval', '0.5'];

describe('the built program', () => {
  const KEYS = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId };
  const task = {
    Cluster: 'arn:aws:ecs:us-east-1:1:cluster/main',
    TaskARN: 'arn:aws:ecs:us-east-1:1:task/main/0123',
    ServiceName: 'web',
    Containers: [],
  };

  async function environmentOf(t: { after(end: () => unknown): void }, answer: unknown) {
    const cloudwatch = await startCloudwatch();
    const server = await startTaskServer({ '/task': answer, '': { DockerId: 'a' } });
    t.after(() => Promise.all([cloudwatch.close(), server.close()]));
    const environment = {
      ...KEYS,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_ENDPOINT_URL: cloudwatch.url,
      ECS_CONTAINER_METADATA_URI_V4: server.uri,
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    return { cloudwatch, environment };
  }

  test('sends the ECS service with each request, and the same data without being asked', async (t) => {
    const { cloudwatch, environment } = await environmentOf(t, task);
    const argv = [...ARGUMENTS, '--once', '--scope', 'host'];
    const { code, stderr } = await runAgent([...argv, '--entity'], { environment });
    assert.equal(code, 0, stderr);
    await runAgent(argv, { environment });
    const [with_, without] = cloudwatch.accepted;
    assert.deepEqual(with_?.entities, [
      {
        KeyAttributes: { Type: 'Service', Name: 'web', Environment: 'ecs:main' },
        Attributes: {
          PlatformType: 'AWS::ECS',
          'ECS.Cluster': 'main',
          'ECS.Service': 'web',
          'ECS.Task': '0123',
        },
      },
    ]);
    assert.equal(without?.entities, undefined);
    const shapes = [with_, without].map((one) =>
      one?.data.map(({ MetricName, Dimensions, Unit }) => ({ MetricName, Dimensions, Unit })),
    );
    assert.deepEqual(shapes[0], shapes[1]);
  });

  test('sends without where the place does not say, and says that once', async (t) => {
    const { cloudwatch, environment } = await environmentOf(t, { status: 500, body: '' });
    const argv = [...ARGUMENTS, '--entity', '--scope', 'host', '--jitter', '0'];
    const program: Program = startAgent(argv, { environment });
    await cloudwatch.waitFor((all) => all.accepted.length >= 2, 15_000);
    program.kill('SIGTERM');
    assert.equal(await program.ended, 0, program.stderr());
    assert.equal(cloudwatch.accepted[0]?.entities, undefined);
    assert.equal(program.stderr().match(/sent without an entity/g)?.length, 1, program.stderr());
  });

  test('names it in a dry run, in --check and in --explain', async (t) => {
    const { environment } = await environmentOf(t, task);
    const dry = await runAgent([...ARGUMENTS, '--once', '--dry-run', '--entity'], { environment });
    assert.match(dry.stdout, /entity: Service web ecs:main/, dry.stderr);
    const json = ['--once', '--dry-run', '--entity', '--log-format', 'json'];
    const line = (await runAgent([...ARGUMENTS, ...json], { environment })).stdout;
    assert.match(line, /"EntityMetricData":\[\{"Entity":\{"KeyAttributes":\{"Type":"Service"/);
    for (const flag of ['--check', '--explain']) {
      const { stdout, stderr } = await runAgent([flag, '--entity'], { environment });
      assert.match(stdout, /ok {3}entity +Service web in ecs:main/, stderr);
    }
  });
});
