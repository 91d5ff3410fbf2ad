// Names as real networks have them: in a network of its own with a name server of its own, as root.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Plan, Result } from '../support/aws/network.ts';
import { AGENT, start } from '../support/program.ts';

const NETWORK = fileURLToPath(new URL('../support/aws/network.ts', import.meta.url));
const NODES = [18, 24];
/** Where the right server is, where somebody else's, and an address that swallows what is sent to it. */
const [RIGHT, WRONG, HOLE, RIGHT6, NO_WAY6] = [
  '10.0.0.1',
  '10.0.0.66',
  '10.9.0.2',
  'fd00::1',
  '2001:db8::1',
];
/** A loopback with addresses, a way into nothing, the two files, and then the command. */
const SET_UP = `ip link set lo up && ip addr add ${RIGHT}/32 dev lo && ip addr add ${WRONG}/32 dev lo &&
ip -6 addr add ${RIGHT6}/64 dev lo nodad &&
ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 &&
ip link set v0 up && ip link set v1 up &&
ip neigh add ${HOLE} lladdr 02:00:00:00:00:01 dev v0 &&
mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"`;
const POD =
  'search a.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\nnameserver 127.0.0.1\n';
const PLAIN = 'nameserver 127.0.0.1\n';
const SECONDS = 1000;

const base = mkdtempSync(join(tmpdir(), 'agent names '));
after(() => rmSync(base, { recursive: true, force: true }));

interface Case extends Partial<Omit<Plan, 'node' | 'argv'>> {
  readonly resolv?: string;
  readonly hosts?: string;
  readonly url?: string;
  readonly flags?: readonly string[];
}

let isAllowed = true;

before(async () => {
  const [resolv, hosts] = files(PLAIN, '');
  isAllowed = spawnSync('unshare', inside(resolv, hosts, ['true'])).status === 0;
  if (!isAllowed) return;
  writeFileSync(join(base, 'package.json'), '{}');
  const nodes = NODES.map((one) => `node${one}@npm:node-linux-${process.arch}@${one}`);
  const flags = ['install', '--no-audit', '--no-fund', '--prefix', base];
  const { status, stderr } = spawnSync('npm', [...flags, ...nodes], {
    cwd: base,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});

function files(resolv: string, hosts: string): [resolv: string, hosts: string] {
  const folder = mkdtempSync(join(base, 'etc-'));
  writeFileSync(join(folder, 'resolv'), resolv);
  writeFileSync(join(folder, 'hosts'), hosts);
  return [join(folder, 'resolv'), join(folder, 'hosts')];
}

function inside(resolv: string, hosts: string, command: readonly string[]): string[] {
  const namespaces = ['--net', '--mount', '--propagation', 'private'];
  return [...namespaces, 'sh', '-c', SET_UP, 'sh', resolv, hosts, ...command];
}

async function run(version: number, one: Case): Promise<Result> {
  const { resolv = PLAIN, hosts = '', url = 'http://cloudwatch.test:4566', flags = [] } = one;
  const names = ['--namespace', 'N', '--service', 's', '--jitter', '0'];
  const rhythm = ['--period', '1', ...(one.ends === true ? [] : ['--once'])];
  const plan: Plan = {
    node: join(base, 'node_modules', `node${version}`, 'bin', 'node'),
    argv: [AGENT, ...names, ...rhythm, ...flags],
    names: one.names ?? {},
    silent: one.silent ?? [],
    ports: one.ports ?? [4566],
    ends: one.ends ?? false,
    environment: {
      AWS_ACCESS_KEY_ID: 'AKIDNAMES',
      AWS_SECRET_ACCESS_KEY: 'secret-of-names',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: url,
      ...one.environment,
    },
  };
  const node = [process.execPath, '--import', 'tsx', NETWORK, JSON.stringify(plan)];
  const program = start('unshare', inside(...files(resolv, hosts), node));
  assert.equal(await program.ended, 0, program.stderr());
  return JSON.parse(program.stdout());
}

/** Where the requests came to, and that all went well. */
function places({ exit, stderr, came }: Result): string[] {
  assert.equal(exit, 0, stderr);
  return came.map(({ at }) => at);
}

for (const version of NODES) {
  describe(`Node ${version}`, () => {
    const named = (
      what: string,
      one: Case,
      check: (result: Result) => void,
    ): Promise<void> | undefined =>
      test(what, async (t) => {
        if (!isAllowed) return t.skip('SKIP: no right to make a network of its own');
        check(await run(version, one));
      });

    named(
      'a service of a pod’s neighbour namespace is found by the search list, not as a public name',
      {
        resolv: POD,
        url: 'http://service.namespace:4566',
        names: {
          'service.namespace.svc.cluster.local': { A: [RIGHT] },
          'service.namespace': { A: [WRONG] },
        },
      },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.equal(result.came[0]?.host, 'service.namespace:4566');
        assert.deepEqual(
          [...new Set(result.asked.map((one) => one.split(' ')[1]))],
          ['service.namespace.a.svc.cluster.local', 'service.namespace.svc.cluster.local'],
        );
      },
    );

    for (const url of ['http://cloudwatch.test', 'https://cloudwatch.test']) {
      named(
        `a proxy’s name on the way to ${url} goes by the search list, and so does its password`,
        {
          resolv: POD,
          url,
          environment: {
            http_proxy: 'http://user:word-of-proxy@squid.dev:3128',
            https_proxy: 'http://user:word-of-proxy@squid.dev:3128',
          },
          names: {
            'squid.dev.svc.cluster.local': { A: [RIGHT] },
            'squid.dev': { A: [WRONG] },
          },
          ports: [3128],
          flags: ['--flush-timeout', '2'],
        },
        ({ came }) => {
          assert.ok(came.length > 0);
          assert.deepEqual([...new Set(came.map(({ at }) => at))], [RIGHT]);
          assert.match(came[0]?.proxyUser ?? '', /^Basic /);
        },
      );
    }

    named(
      'a name of as many dots as ndots is asked for as it is first, and by the list after that',
      {
        resolv: `search corp.test\n${PLAIN}`,
        names: { 'cloudwatch.test.corp.test': { A: [RIGHT] } },
      },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.match(result.asked[0] ?? '', / cloudwatch\.test$/);
      },
    );

    named(
      'a dot at the end says that the name is whole',
      {
        resolv: POD,
        url: 'http://cloudwatch.test.:4566',
        names: { 'cloudwatch.test': { A: [RIGHT] } },
      },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.equal(result.came[0]?.host, 'cloudwatch.test:4566');
        assert.ok(result.asked.every((one) => one.endsWith(' cloudwatch.test')));
      },
    );

    named(
      'LOCALDOMAIN and RES_OPTIONS count for more than the file',
      {
        resolv: `search wrong.test\n${PLAIN}`,
        environment: { LOCALDOMAIN: 'right.test', RES_OPTIONS: 'ndots:3' },
        names: {
          'cloudwatch.test.right.test': { A: [RIGHT] },
          'cloudwatch.test': { A: [WRONG] },
        },
      },
      (result) => assert.deepEqual(places(result), [RIGHT]),
    );

    named(
      'a domain whose server fails does not end the search',
      {
        resolv: POD,
        names: {
          'cloudwatch.test.a.svc.cluster.local': { rcode: 2 },
          'cloudwatch.test': { A: [RIGHT] },
        },
      },
      (result) => assert.deepEqual(places(result), [RIGHT]),
    );

    named(
      'the hosts file goes before DNS',
      {
        hosts: `${RIGHT} other Cloudwatch.Test # a comment\n`,
        names: { 'cloudwatch.test': { A: [WRONG] } },
      },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.deepEqual(result.asked, []);
      },
    );

    named(
      'a name with an IPv6 address alone is reached',
      { names: { 'cloudwatch.test': { AAAA: [RIGHT6] } } },
      (result) => assert.deepEqual(places(result), [RIGHT6]),
    );

    named(
      'an IPv6 address that comes late is waited for while IPv4 does not connect',
      { names: { 'cloudwatch.test': { A: [HOLE], AAAA: [RIGHT6], delayMs: 600 } } },
      (result) => assert.deepEqual(places(result), [RIGHT6]),
    );

    named(
      'a resolver that drops the question for IPv6 is not waited for',
      { names: { 'cloudwatch.test': { A: [RIGHT], drops: ['AAAA'] } } },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.deepEqual([...result.asked].sort(), ['A cloudwatch.test', 'AAAA cloudwatch.test']);
      },
    );

    named(
      'an address that swallows everything does not keep the others from being tried',
      { names: { 'cloudwatch.test': { A: [HOLE, RIGHT] } } },
      (result) => assert.deepEqual(places(result), [RIGHT]),
    );

    named(
      'a family without a route costs nothing',
      { names: { 'cloudwatch.test': { A: [RIGHT], AAAA: [NO_WAY6] } } },
      (result) => {
        assert.deepEqual(places(result), [RIGHT]);
        assert.doesNotMatch(result.stderr, /ENETUNREACH/);
      },
    );

    named(
      'a name that nobody knows is said with all that it was asked for as',
      { resolv: `search corp.test\n${PLAIN}`, flags: ['--flush-timeout', '2'] },
      ({ exit, stderr }) => {
        assert.equal(exit, 1);
        assert.match(
          stderr,
          /the name cloudwatch\.test has no address \(ENOTFOUND\), nor have cloudwatch\.test\.corp\.test/,
        );
      },
    );

    const silence: Case = {
      resolv: `search silent.test\n${PLAIN}`,
      silent: ['silent.test'],
      ends: true,
      flags: ['--flush-timeout', '2'],
    };

    named('a name server that is silent does not hold the end', silence, (result) => {
      assert.equal(result.exit, 1, result.stderr);
      assert.ok(result.tookMs < 3 * SECONDS, `${result.tookMs} ms`);
    });

    test('nor where a spool keeps everything, and then all is well', async (t) => {
      if (!isAllowed) return t.skip('SKIP: no right to make a network of its own');
      const spool = join(base, `spool-${version}`);
      mkdirSync(spool);
      const flags = [...(silence.flags ?? []), '--spool', spool];
      const result = await run(version, { ...silence, flags });
      assert.equal(result.exit, 0, result.stderr);
      assert.ok(result.tookMs < 3 * SECONDS, `${result.tookMs} ms`);
    });
  });
}
