import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { AGENT } from '../program.ts';
import { CGROUPS, Cgroup } from './cgroup.ts';
import { lacking } from './needs.ts';
import type { Place } from './place.ts';
import { foldersIn, removeCgroup } from './remove.ts';

/** Not the tmpdir, which may be a tmpfs: a file there has no page cache of its own to fill. */
const BASE = '/var/tmp';
/** Cgroups and folders of a lab begin so; who made them follows. */
const PREFIX = 'cg-lab-';
/** Nothing else is ever swept. */
const NAME = /^cg-lab-(\d+)-\d+(?=-|$)/;
/** Of `/proc/<pid>/stat`, counted from the field after the name. */
const START_TIME = 19;
/** The lab's processes go before whatever else this machine does, or a quota might not be used up. */
const MOST_SHARES = '262144';

/** A place on this machine, and the cgroup below which everything happens. */
export interface Lab extends Place {
  readonly cgroup: Cgroup;
}

/** Why the lab on cgroup v1 cannot be here, as the reason of a skipped suite; false where it can. */
export function labLacks(...commands: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const controllers = ['cpu/cpu.cfs_quota_us', 'cpuacct/cpuacct.usage', 'cpuset/cpuset.cpus'];
  const missing = [...controllers, 'memory/memory.limit_in_bytes']
    .map((file) => join(CGROUPS, file))
    .find((file) => !existsSync(file));
  return missing === undefined ? lacking(...commands) : `needs cgroup v1: no ${missing}`;
}

/** Sweeps what aborted runs left, then makes this process's lab. Goes with {@link closeLab}. */
export async function openLab(): Promise<Lab> {
  await sweepLeftovers();
  const cgroup = new Cgroup(1, `/${nameOf('self')}`);
  cgroup.make();
  cgroup.write('cpu.shares', MOST_SHARES);
  const folder = makeFolder();
  const load = join(folder, 'load.mjs');
  bundle('load.ts', load);
  return { cgroup, folder, load, node: process.execPath, agent: AGENT };
}

/** Ends and removes what the labs of processes that are no more have left. */
export async function sweepLeftovers(): Promise<void> {
  await sweep(isLeftover);
}

/** Ends and removes all that this process's lab made, known by name: needs nothing that a test kept. */
export async function closeLab(): Promise<void> {
  await sweep(isOurs);
}

/** A folder that {@link closeLab} removes. */
export function makeFolder(): string {
  return mkdtempSync(join(BASE, `${nameOf('self')}-`));
}

/** One of this folder's programs as plain JavaScript for any Node, where there is no tsx. */
export function bundle(program: string, outfile: string): void {
  const entry = fileURLToPath(new URL(program, import.meta.url));
  buildSync({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
  });
}

/** A file of that size that takes no room on the disk; reading it fills the page cache all the same. */
export function makeSparseFile(path: string, mib: number): void {
  const { status, stderr } = spawnSync('truncate', ['-s', `${mib}M`, path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`truncate: ${stderr}`);
}

/** `cg-lab-<pid>-<start time>`: a pid that is another process's by now does not pass for the owner. */
function nameOf(pid: string): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const own = stat.slice(0, stat.indexOf(' '));
  // The second field is a name in parentheses, with any characters.
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME];
  return `${PREFIX}${own}-${start}`;
}

/** Made by a process that is no more. */
function isLeftover(name: string): boolean {
  const [owner, pid = ''] = NAME.exec(name) ?? [];
  if (owner === undefined) return false;
  return !existsSync(`/proc/${pid}/stat`) || nameOf(pid) !== owner;
}

function isOurs(name: string): boolean {
  return NAME.exec(name)?.[0] === nameOf('self');
}

async function sweep(isMeant: (name: string) => boolean): Promise<void> {
  const isSwept = (path: string): boolean => isMeant(basename(path)) && mayRemove(path);
  for (const dir of labCgroups().filter(isSwept)) await removeCgroup(dir);
  for (const folder of foldersIn(BASE).filter(isSwept)) rmSync(folder, { recursive: true });
}

function mayRemove(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

/** In each hierarchy (v1), or in the only one (v2). */
function labCgroups(): string[] {
  return [CGROUPS, ...foldersIn(CGROUPS)]
    .flatMap(foldersIn)
    .filter((dir) => basename(dir).startsWith(PREFIX));
}
