// Over 200 lines: each kind of example beside the proof that its validator can refuse.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../src/version.ts';
import {
  allLines,
  at,
  containersIn,
  type Documents,
  ENTRYPOINT,
  EXAMPLES,
  examplesLike,
  IMAGE,
  isAgent,
  type Line,
  readDocuments,
} from '../support/deployments/examples.ts';
import { type Metadata, standIn, startMetadata } from '../support/deployments/stand-in.ts';
import { fillIn, metricOf, shownIn, widgetsOf } from '../support/deployments/template.ts';
import { composeLoader, pythonTools, run, type Said } from '../support/deployments/tools.ts';
import { lacking } from '../support/lab/needs.ts';
import { runAgent } from '../support/program.ts';

const VALIDATE = fileURLToPath(new URL('../support/deployments/validate.py', import.meta.url));
const TASK = ['ecs', 'RegisterTaskDefinition', 'AWS::ECS::TaskDefinition'] as const;
const JOB = ['batch', 'RegisterJobDefinition', 'AWS::Batch::JobDefinition'] as const;
const DAEMON = ['ecs', 'RegisterDaemonTaskDefinition', 'AWS::ECS::DaemonTaskDefinition'] as const;
/** What AWS's own service model and CloudFormation's schema call each file. */
const REQUESTS = [
  ['ecs/fargate-task.json', ...TASK],
  ['ecs/fargate-emf-task.json', ...TASK],
  ['ecs/ec2-task.json', ...TASK],
  ['ecs/host-task.json', ...TASK],
  ['ecs/host-service.json', 'ecs', 'CreateService', 'AWS::ECS::Service'],
  ['ecs/daemon-task.json', ...DAEMON],
  ['ecs/daemon.json', 'ecs', 'CreateDaemon', 'AWS::ECS::Daemon'],
  ['batch/job.json', ...JOB],
  ['batch/job-sidecar.json', ...JOB],
] as const;
const KUBERNETES = examplesLike(/^(?:kubernetes\/|pod-).*\.yaml$/);
const TEMPLATE = 'cloudformation/metrics.yaml';
const COMPOSE = 'compose/compose.yaml';
const UNITS = examplesLike(/\.(?:service|timer)$/);
/** Of ten, as `systemd-analyze security` reckons; docs/ec2.md says what is left. */
const MOST_EXPOSED = 1.1;
const FLUSH_SECONDS = 8;

const python = pythonTools();
const compose = composeLoader();
const inPython = (name: string, ...argv: readonly string[]): Said =>
  run(join(python.bin, name), argv);
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'deployments-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A copy with one thing changed, which must be there. */
function broken(path: string, what: string | RegExp, by: string): string {
  const text = readFileSync(join(EXAMPLES, path), 'utf8');
  const changed = text.replace(what, by);
  assert.notEqual(changed, text, `${path} has no ${what}`);
  const copy = join(folder, basename(path));
  writeFileSync(copy, changed);
  return copy;
}

function accepts(said: Said): void {
  assert.ok(said.ok, said.text);
}

function refuses(said: Said, reason: RegExp): void {
  assert.ok(!said.ok, 'it was accepted');
  assert.match(said.text, reason);
}

describe('the requests to AWS', { skip: python.lacking }, () => {
  const requests = (...each: readonly (readonly [file: string, ...of: string[]])[]): Said =>
    inPython('python', VALIDATE, 'requests', ...each.flat());

  function resources(...each: readonly (readonly [file: string, type: string])[]): Said {
    const made = inPython('python', VALIDATE, 'resources', folder, ...each.flat());
    if (!made.ok) return made;
    const templates: unknown = JSON.parse(made.stdout);
    assert.ok(Array.isArray(templates) && templates.length === each.length);
    return inPython('cfn-lint', ...templates.map(String));
  }

  test('each file is what its operation takes, by botocore’s model', () => {
    const each = REQUESTS.map(([path, service, operation]) => {
      return [join(EXAMPLES, path), service, operation] as const;
    });
    accepts(requests(...each));
  });

  test('each file is a good resource of its type, by cfn-lint', () => {
    accepts(
      resources(...REQUESTS.map(([path, , , type]) => [join(EXAMPLES, path), type] as const)),
    );
  });

  test('each JSON file is among them', () => {
    assert.deepEqual(examplesLike(/\.json$/), REQUESTS.map(([path]) => path).sort());
  });

  const [task, service, operation, type] = REQUESTS[0];
  for (const [what, from, to, reason] of [
    ['a field that is not there', '"dependsOn"', '"dependOn"', /Unknown parameter.*dependOn/],
    [
      'a text for a number',
      '"stopTimeout": 15',
      '"stopTimeout": "15"',
      /Invalid type.*stopTimeout/,
    ],
    ['a condition that is not there', '"START"', '"STARTED"', /'STARTED', expected one of START/],
  ] as const) {
    test(`botocore’s model refuses ${what}`, () => {
      refuses(requests([broken(task, from, to), service, operation]), reason);
    });
  }

  test('cfn-lint refuses a size that Fargate does not have', () => {
    refuses(resources([broken(task, '"memory": "1024"', '"memory": "640"'), type]), /640/);
  });
});

describe('the CloudFormation template', { skip: python.lacking }, () => {
  test('is good, by cfn-lint', () => {
    accepts(inPython('cfn-lint', join(EXAMPLES, TEMPLATE)));
  });

  test('cfn-lint refuses a name that is not declared', () => {
    refuses(inPython('cfn-lint', broken(TEMPLATE, '!Ref Topic', '!Ref Topik')), /Topik/);
  });
});

describe('the Kubernetes manifests', { skip: python.lacking }, () => {
  const validate = (...files: readonly string[]): Said =>
    inPython('kubernetes-validate', '--strict', ...files);

  test('are good, by Kubernetes’ own schema', () => {
    const said = validate(...KUBERNETES.map((path) => join(EXAMPLES, path)));
    accepts(said);
    for (const path of KUBERNETES) assert.ok(said.text.includes(`${path} passed`), path);
  });

  for (const [what, from, to, reason] of [
    ['a field that is not there', 'readOnlyRootFilesystem', 'readOnlyRoot', /readOnlyRoot/],
    ['a text for a number', 'periodSeconds: 60', 'periodSeconds: 60s', /60s/],
  ] as const) {
    test(`the schema refuses ${what}`, () => {
      refuses(validate(broken('kubernetes/sidecar.yaml', from, to)), reason);
    });
  }
});

describe('the compose file', { skip: compose.lacking }, () => {
  const load = (file: string): Said => run(join(compose.bin, 'compose'), [file]);

  test('is loaded by Docker Compose’s own loader', () => {
    accepts(load(join(EXAMPLES, COMPOSE)));
  });

  for (const [what, from, to, reason] of [
    ['a field that is not there', 'healthcheck:', 'healtcheck:', /healtcheck/],
    ['a service that is not there', 'pid: service:api', 'pid: service:app', /app/],
  ] as const) {
    test(`the loader refuses ${what}`, () => {
      refuses(load(broken(COMPOSE, from, to)), reason);
    });
  }
});

describe('the units of systemd', { skip: lacking('systemd-analyze') }, () => {
  /** All of them in one folder, with a Node that is here. It reads files and starts nothing. */
  function verify(change: (text: string) => string = (text) => text): Said {
    const units = UNITS.map((path) => {
      const copy = join(folder, basename(path));
      const text = readFileSync(join(EXAMPLES, path), 'utf8');
      writeFileSync(copy, change(text.replace('/usr/bin/node', process.execPath)));
      return copy;
    });
    const said = run('systemd-analyze', ['verify', '--man=no', ...units]);
    // A name that it does not know is a warning to it.
    return { ...said, ok: said.ok && said.text === '' };
  }

  test('are good, by systemd', () => {
    accepts(verify());
  });

  test('systemd refuses a setting that is not there', () => {
    const said = verify((text) => text.replace('TasksMax', 'TaskMax'));
    refuses(said, /TaskMax/);
  });

  for (const path of UNITS.filter((unit) => unit.endsWith('.service'))) {
    test(`${path} is exposed by at most ${MOST_EXPOSED} of 10, and by more than 9 without its settings`, () => {
      const level = (file: string): number => {
        const argv = ['security', '--offline=true', '--no-pager', file];
        const { text } = run('systemd-analyze', argv);
        return Number(/exposure level for .*: ([\d.]+)/.exec(text)?.[1]);
      };
      assert.ok(level(join(EXAMPLES, path)) <= MOST_EXPOSED);
      const settings = /^(?:Cap|Dynamic|No|Priv|Proc|Prot|Restrict|Sys|Lock|UMask).*$/gm;
      assert.ok(level(broken(path, settings, '')) > 9);
    });
  }
});

describe('what the examples say', { skip: python.lacking }, () => {
  const documents: Documents = python.lacking
    ? new Map()
    : readDocuments(join(python.bin, 'python'));
  const lines = python.lacking ? [] : allLines(documents);
  const containers = [...documents].flatMap(([path, all]) =>
    containersIn(all).map((container) => ({ path, container })),
  );
  const agents = containers.filter(({ container }) => isAgent(container));
  let metadata: Metadata;

  before(async () => {
    metadata = await startMetadata();
  });
  after(() => metadata.close());

  async function takes({ args }: Line, ...flags: readonly string[]): Promise<string> {
    const { argv, expected } = standIn(args, folder, flags);
    const environment = { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url };
    const { code, stdout, stderr } = await runAgent(argv, { environment });
    assert.equal(code, expected, `${argv.join(' ')}\n${stderr}`);
    assert.doesNotMatch(stderr, /error|warn/i);
    return stdout;
  }

  test('the image’s entrypoint is what the health checks call', () => {
    const dockerfile = readFileSync(new URL('../../Dockerfile.alpine', import.meta.url), 'utf8');
    const [, entrypoint = ''] = /^ENTRYPOINT (.*)$/m.exec(dockerfile) ?? [];
    assert.deepEqual(JSON.parse(entrypoint), ENTRYPOINT);
  });

  test('every image is of one registry, and the agent’s of this version', () => {
    assert.ok(agents.length >= 9);
    const [registry] = IMAGE.split('/');
    for (const { path, container } of containers) {
      assert.match(String(container['image']), new RegExp(`^${registry}/`), path);
    }
    for (const { container } of agents) assert.equal(container['image'], `${IMAGE}:${VERSION}`);
  });

  test('the agent has no privilege anywhere but SYS_PTRACE, and a root that it cannot write', () => {
    for (const { path, container } of agents) {
      const text = JSON.stringify(container);
      assert.doesNotMatch(text, /privileged":true|SYS_ADMIN/, path);
      assert.match(
        text,
        /"(?:readonlyRootFilesystem|readOnlyRootFilesystem|read_only)":true/,
        path,
      );
      // Batch has no field for capabilities in a job of several containers.
      if (path !== 'batch/job-sidecar.json') {
        assert.match(text, /(?:drop|cap_drop)":\["ALL"\]/, path);
      }
    }
    assert.doesNotMatch(JSON.stringify([...documents]), /"host(?:PID|Network|IPC)":true/);
  });

  for (const path of [
    'ecs/fargate-task.json',
    'ecs/fargate-emf-task.json',
    'ecs/ec2-task.json',
    'batch/job-sidecar.json',
  ]) {
    test(`${path}: what depends on the agent stops before it, and nothing needs it to live`, () => {
      const [app, agent, ...others] = containersIn(documents.get(path));
      assert.ok(app && agent && isAgent(agent) && others.length === 0);
      assert.deepEqual(app['dependsOn'], [{ containerName: agent['name'], condition: 'START' }]);
      assert.deepEqual([app['essential'], agent['essential']], [true, false]);
      assert.ok(Number(agent['stopTimeout']) > FLUSH_SECONDS);
    });
  }

  test('every agent has the limits of docs/images.md', () => {
    const page = readFileSync(new URL('../../docs/images.md', import.meta.url), 'utf8');
    const [, memory, pids] = /--memory (\d+)m --pids-limit (\d+)/.exec(page) ?? [];
    for (const { path, container } of agents) {
      // Fargate has no smaller size that the containers of a job could add up to.
      if (path === 'batch/job-sidecar.json') continue;
      const limit = at(container, 'resources', 'limits', 'memory') ?? container['mem_limit'];
      assert.equal(String(limit ?? container['memory']).replace(/Mi?$/i, ''), memory, path);
      if (path === COMPOSE) assert.equal(String(container['pids_limit']), pids);
    }
    const unit = readFileSync(join(EXAMPLES, 'systemd/cloudwatch-metrics-agent.service'), 'utf8');
    assert.match(unit, new RegExp(`^MemoryMax=${memory}M\nTasksMax=${pids}$`, 'm'));
  });

  for (const line of lines) {
    test(`the agent takes: ${line.where} ${line.args.join(' ')}`, async () => {
      await takes(line);
    });
  }

  test('the agent refuses a flag that is not there', async () => {
    const { argv } = standIn([...(lines[0]?.args ?? []), '--no-such-flag'], folder);
    assert.equal((await runAgent(argv)).code, 2);
  });

  describe('the template', () => {
    const template = python.lacking ? undefined : fillIn(documents.get(TEMPLATE)?.[0]);
    const of = (type: string): readonly unknown[] => template?.resources(type) ?? [];
    const published = new Set<string>();

    before(async () => {
      for (const path of ['ecs/fargate-task.json', 'batch/job.json']) {
        const line = lines.find(({ where }) => where.startsWith(path));
        assert.ok(line);
        for (const one of shownIn(await takes(line, '--log-format', 'json'))) published.add(one);
      }
    });

    test('has alarms on what the examples publish', () => {
      const alarms = of('AWS::CloudWatch::Alarm').map(metricOf);
      assert.deepEqual(alarms, [
        'Services MaxMemoryUtilization ServiceName api',
        'Jobs JobFailures ServiceName train',
      ]);
      for (const alarm of alarms) assert.ok(published.has(alarm), alarm);
    });

    test('has a dashboard of what the examples publish', () => {
      const [dashboard] = of('AWS::CloudWatch::Dashboard');
      const widgets = widgetsOf(at(dashboard, 'DashboardBody'));
      assert.equal(widgets.length, 4);
      for (const metric of widgets.flat()) assert.ok(published.has(metric), metric);
    });

    test('allows to publish into the namespaces of the examples, and nothing else', () => {
      const [policy] = of('AWS::IAM::ManagedPolicy');
      const statements = at(policy, 'PolicyDocument', 'Statement');
      const used = lines.flatMap(({ args }) =>
        [...args.join(' ').matchAll(/--namespace[ =](\S+)/g)].map(([, name]) => name),
      );
      const allowed = at(statements, 0, 'Condition', 'StringEquals', 'cloudwatch:namespace');
      assert.ok(Array.isArray(statements) && statements.length === 1 && Array.isArray(allowed));
      assert.deepEqual([...new Set(used)].sort(), [...allowed].sort());
      assert.equal(at(statements, 0, 'Action'), 'cloudwatch:PutMetricData');
    });
  });
});
