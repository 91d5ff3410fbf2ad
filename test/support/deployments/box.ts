import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab/lab.ts';
import { freshFolder } from '../lab/place.ts';
import { at, isObject } from './examples.ts';
import { run } from './tools.ts';

/** What an example asks of the platform for one container. */
export interface Box {
  readonly args: readonly string[];
  readonly user: number;
  /** All of them: none but these. */
  readonly capabilities: readonly string[];
  readonly memoryMiB?: number;
  readonly cores?: number;
  /** Folders and files of this machine by where the container has them, read-only. */
  readonly binds?: Readonly<Record<string, string>>;
}

/** What the test adds to it. */
export interface Around {
  readonly environment?: Readonly<Record<string, string>>;
  readonly binds?: Readonly<Record<string, string>>;
  /** The path of another container's, or the machine's own. */
  readonly pid?: string | 'machine';
  readonly seccomp?: object;
  /** Of its /proc, beside the usual ones. */
  readonly procOptions?: readonly string[];
  /** Without it loopback is the machine's. */
  readonly networkless?: boolean;
}

/** The system's own, as it has them: folders, or links into /usr. */
const SYSTEM = ['/bin', '/lib', '/lib64', '/sbin', '/usr'];
const PERIOD_US = 100_000;
const MIB = 2 ** 20;

type Json = Record<string, unknown>;

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The command that runs a box by runc, in a root that nobody can write, as `runc spec` has it else. */
export function boxCommand(
  lab: Lab,
  id: string,
  box: Box,
  around: Around = {},
  flags: readonly string[] = [],
): string[] {
  const bundle = freshFolder(lab.folder, id);
  const { ok, text } = run('runc', ['spec', '--bundle', bundle]);
  if (!ok) throw new Error(text);
  const file = join(bundle, 'config.json');
  const spec: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!isObject(spec)) throw new Error('no spec');
  const binds = { ...systemIn(join(bundle, 'rootfs')), ...box.binds, ...around.binds };
  const all = { ...binds, '/app/node': process.execPath, '/opt/agent.js': lab.agent };
  writeFileSync(file, JSON.stringify(filled(spec, lab.cgroup.child(id).path, box, around, all)));
  return [...runc(lab), 'run', ...flags, '--bundle', bundle, id];
}

/** The command that runs another one in a box, as its user. */
export function insideCommand(lab: Lab, id: string, box: Box, args: readonly string[]): string[] {
  return [...runc(lab), 'exec', '--user', `${box.user}:${box.user}`, id, ...args];
}

function runc(lab: Lab): string[] {
  return ['runc', '--root', join(lab.folder, 'state')];
}

/** Makes the folders of a root. @returns what is bound into it */
function systemIn(root: string): Record<string, string> {
  for (const dir of ['app', 'dev', 'etc', 'host', 'opt', 'proc', 'run', 'sys', 'tmp', 'var']) {
    mkdirSync(join(root, dir), { recursive: true });
  }
  const bound: Record<string, string> = {};
  for (const dir of SYSTEM) {
    const stat = lstatSync(dir, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() === true) symlinkSync(readlinkSync(dir), join(root, dir));
    else if (stat !== undefined) bound[dir] = dir;
  }
  return bound;
}

function filled(
  spec: Json,
  cgroupsPath: string,
  box: Box,
  around: Around,
  binds: Readonly<Record<string, string>>,
): Json {
  const { user, capabilities: sets, args } = box;
  const capabilities = { bounding: sets, effective: sets, permitted: sets };
  const variables = Object.entries(around.environment ?? {}).map(
    ([name, value]) => `${name}=${value}`,
  );
  const isMachine = around.pid === 'machine';
  const unwanted = ['network', 'cgroup', ...(around.pid === undefined ? [] : ['pid'])];
  const namespaces = listOf(at(spec, 'linux', 'namespaces')).filter(
    ({ type }) => !unwanted.includes(String(type)) || (type === 'network' && around.networkless),
  );
  const shared = around.pid !== undefined && !isMachine ? [{ type: 'pid', path: around.pid }] : [];
  const { memoryMiB, cores } = box;
  const process = at(spec, 'process');
  const linux = at(spec, 'linux');
  return {
    ...spec,
    process: {
      ...(isObject(process) ? process : {}),
      terminal: false,
      user: { uid: user, gid: user },
      args,
      env: ['PATH=/app:/usr/bin:/bin', ...variables],
      capabilities,
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: mountsOf(spec, around, binds, isMachine),
    linux: {
      ...(isObject(linux) ? linux : {}),
      cgroupsPath,
      namespaces: [...namespaces, ...shared],
      ...(around.seccomp === undefined ? {} : { seccomp: around.seccomp }),
      resources: {
        memory: memoryMiB === undefined ? {} : { limit: memoryMiB * MIB },
        cpu: cores === undefined ? {} : { quota: cores * PERIOD_US, period: PERIOD_US },
      },
    },
  };
}

function mountsOf(
  spec: Json,
  around: Around,
  binds: Readonly<Record<string, string>>,
  isMachine: boolean,
): object[] {
  const usual = listOf(at(spec, 'mounts')).map((mount) => {
    const more = mount['destination'] === '/proc' ? (around.procOptions ?? []) : [];
    const options = Array.isArray(mount['options']) ? mount['options'] : [];
    return { ...mount, options: [...options, ...more] };
  });
  const bound = (destination: string, source: string): object => {
    return { destination, source, type: 'bind', options: ['rbind', 'ro', 'rprivate'] };
  };
  return [
    ...usual.filter((mount) => !isMachine || !String(at(mount, 'destination')).startsWith('/sys')),
    ...(isMachine ? [bound('/sys', '/sys')] : []),
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=1777'] },
    ...Object.entries(binds).map(([destination, source]) => bound(destination, source)),
  ];
}
