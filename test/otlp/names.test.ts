import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { CATALOG } from '../../src/metrics/catalog.ts';
import { otelName } from '../../src/otlp/names.ts';
import { withResource } from '../../src/otlp/resource.ts';
import { UNITS } from '../support/service/put-metric-data.ts';

const PAGE = new URL('../../docs/outputs.md', import.meta.url);
const OWN = 'cloudwatch_metrics_agent.';
const known = new Set<unknown>(Object.values(conventions));
const all = CATALOG.map((row) => ({ row, otel: otelName(row.name, row.unit, false) }));

describe('a name of the catalog', () => {
  test('is one of the semantic conventions, or the agent’s own', () => {
    for (const { row, otel } of all) {
      const isOwn = otel.name.startsWith(OWN) && !otel.name.includes('_utilization');
      assert.ok(isOwn || known.has(otel.name), `${row.name}: ${otel.name}`);
      if (otel.attribute !== undefined) assert.ok(known.has(otel.attribute[0]), otel.attribute[0]);
    }
  });

  test('is given by hand, and tells each metric from all others', () => {
    const keys = all.map(({ otel }) => [otel.name, ...(otel.attribute ?? [])].join(' '));
    assert.equal(new Set(keys).size, CATALOG.length);
    const made = all.filter(
      ({ row, otel }) => otel.name === otelName(`${row.name}`, 'None', false).name,
    );
    assert.equal(made.length, CATALOG.length);
  });

  test('has one unit and one kind for all that share it', () => {
    for (const { otel } of all) {
      const same = all.filter((other) => other.otel.name === otel.name).map((one) => one.otel);
      assert.ok(same.every(({ unit, isSum }) => unit === otel.unit && isSum === otel.isSum));
    }
  });

  test('has a unit of UCUM: shares are fractions, times seconds', () => {
    for (const { row, otel } of all) {
      assert.match(otel.unit, /^(?:1|s|By|\{[a-z]+\})$/, row.name);
      if (row.unit === 'Percent') assert.deepEqual([otel.unit, otel.divisor], ['1', 100]);
      if (row.unit === 'Milliseconds') assert.deepEqual([otel.unit, otel.divisor], ['s', 1000]);
      assert.equal(otel.isSum, row.reduce === 'sum');
    }
  });
});

describe('a metric of the library’s caller', () => {
  test('may be called as what each object of the language has', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      assert.match(otelName(name, 'None', false).name, /^cloudwatch_metrics_agent\.\w+$/);
    }
  });

  test('is a sum where it is counted, and never a fraction already', () => {
    assert.equal(otelName('OrdersPlaced', 'Count', false).isSum, true);
    assert.equal(otelName('OrdersPlaced', 'Bytes', false).isSum, false);
    assert.equal(otelName('CacheHits', 'Percent', true).divisor, 100);
    assert.equal(otelName('CPUUtilization', 'Percent', true).divisor, 1);
  });
});

test('every unit of CloudWatch is one of UCUM', () => {
  const units = UNITS.map((unit) => otelName('X', unit, false).unit);
  assert.equal(
    units.join(' '),
    's s s By kBy MBy GBy TBy bit kbit Mbit Gbit Tbit 1 {count} By/s kBy/s MBy/s GBy/s TBy/s ' +
      'bit/s kbit/s Mbit/s Gbit/s Tbit/s {count}/s 1',
  );
});

const made: [metric: string, name: string][] = [
  ['OrdersTotal', 'orders_total'],
  ['HTTPRequests', 'http_requests'],
  ['queue depth (ms)', 'queue_depth_ms_'],
  ['x'.repeat(400), 'x'.repeat(255 - OWN.length)],
];
for (const [metric, name] of made) {
  test(`a metric that is not in the catalog has a name all the same: ${metric.slice(0, 20)}`, () => {
    assert.equal(otelName(metric, 'Count', false).name, OWN + name);
  });
}

test('the table of names in the documentation is the code’s', () => {
  const rows = all.map(({ row, otel }) => {
    const { name, unit, attribute, isSum } = otel;
    const kind = isSum ? 'delta sum' : row.reduce === 'median' ? 'gauge or histogram' : 'gauge';
    const label = attribute === undefined ? '' : ` \`${attribute.join('=')}\``;
    return `| ${row.name} | \`${name}\`${label} | ${unit} | ${kind} |`;
  });
  const head = '| metric | OTLP name | unit | kind |\n|---|---|---|---|';
  const text = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = text.split('<!-- names -->\n');
  const after = rest.slice(rest.indexOf('<!-- /names -->'));
  const renewed = `${before}<!-- names -->\n${[head, ...rows].join('\n')}\n${after}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(PAGE, renewed);
  assert.equal(readFileSync(PAGE, 'utf8'), renewed);
});

describe('the resource', () => {
  const dimensions = [
    { Name: 'ServiceName', Value: 'svc' },
    { Name: 'Stage', Value: 'test' },
  ];
  const ARN = 'arn:aws:ecs:eu-west-1:123456789012:task/main/0123456789abcdef';
  const task = {
    cluster: 'main',
    arn: ARN,
    family: 'web',
    launchType: 'FARGATE',
    serviceName: '',
    availabilityZone: 'eu-west-1a',
    containers: [{ id: 'c1', name: 'app', type: 'NORMAL', status: 'RUNNING' }],
  };
  const ECS = {
    ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x',
    AWS_REGION: 'us-east-1',
  };

  function attributes(...[own, here]: Parameters<typeof withResource>): Record<string, string> {
    return Object.fromEntries(withResource(own, here).map(({ Name, Value }) => [Name, Value]));
  }

  test('of a host is its name, and every dimension', () => {
    assert.deepEqual(attributes(dimensions, { environment: {}, hostname: 'h' }), {
      ServiceName: 'svc',
      Stage: 'test',
      'host.name': 'h',
    });
  });

  test('of a task is what its metadata told whoever asked', () => {
    const here = { environment: ECS, hostname: 'h', task, ownId: 'c1' };
    assert.deepEqual(attributes(dimensions, here), {
      ServiceName: 'svc',
      Stage: 'test',
      'host.name': 'h',
      'cloud.provider': 'aws',
      'cloud.platform': 'aws_ecs',
      'cloud.region': 'eu-west-1',
      'cloud.account.id': '123456789012',
      'cloud.availability_zone': 'eu-west-1a',
      'aws.ecs.task.arn': ARN,
      'aws.ecs.task.id': '0123456789abcdef',
      'aws.ecs.task.family': 'web',
      'aws.ecs.cluster.arn': 'arn:aws:ecs:eu-west-1:123456789012:cluster/main',
      'aws.ecs.launchtype': 'fargate',
      'container.id': 'c1',
      'container.name': 'app',
    });
  });

  test('of a task that nobody asked about is what the environment says', () => {
    const found = attributes([], { environment: ECS, hostname: 'h' });
    assert.equal(found['cloud.region'], 'us-east-1');
    assert.equal(found['aws.ecs.task.arn'], undefined);
  });

  test('of a pod is the pod’s name, on EKS with the platform', () => {
    const environment = {
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/secrets/eks.amazonaws.com/serviceaccount/token',
    };
    assert.deepEqual(attributes([], { environment, hostname: 'pod-1' }), {
      'k8s.pod.name': 'pod-1',
      'cloud.provider': 'aws',
      'cloud.platform': 'aws_eks',
    });
  });

  test('is what OTEL_RESOURCE_ATTRIBUTES says, under the user’s dimensions', () => {
    const said = 'host.name=said, a.b=caf%C3%A9%20%, Stage=other,service.name=no,,x, y=';
    const environment = { OTEL_RESOURCE_ATTRIBUTES: said };
    assert.deepEqual(attributes(dimensions, { environment, hostname: 'h' }), {
      ServiceName: 'svc',
      Stage: 'test',
      'host.name': 'said',
      'a.b': 'caf%C3%A9%20%',
    });
  });

  test('is named by the semantic conventions', () => {
    const names = Object.keys(
      attributes([], { environment: ECS, hostname: 'h', task, ownId: 'c1' }),
    );
    assert.deepEqual(
      names.filter((name) => !known.has(name)),
      [],
    );
  });
});
