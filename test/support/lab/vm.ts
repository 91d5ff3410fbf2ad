import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT } from '../program.ts';
import type { Measured } from './agent.ts';
import { debianKernel } from './kernel.ts';
import { bundle, makeFolder, makeSparseFile } from './lab.ts';
import { lacking } from './needs.ts';
import { Archive } from './newc.ts';

/** Emulated, so ten times as slow; a guest that hangs ends by this. */
const LIFETIME_MS = 480_000;
const QEMU = 'qemu-system-x86_64';
/** What the guest has of this machine's programs, with their libraries. */
const PROGRAMS = ['busybox', 'runc', 'crun', 'sleep'];
const DISK_MIB = 400;

/** How the guest's cgroups are mounted: version 2, or version 1 with cpu and cpuacct as one. */
export type Arrangement = 'v2' | 'v1';

const MOUNTS: Readonly<Record<Arrangement, string>> = {
  v2: 'mount -t cgroup2 cgroup /sys/fs/cgroup',
  v1: `mount -t tmpfs cgroup /sys/fs/cgroup
for controllers in cpu,cpuacct cpuset memory devices freezer blkio pids; do
  mkdir /sys/fs/cgroup/$controllers
  mount -t cgroup -o $controllers cgroup /sys/fs/cgroup/$controllers
done
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
ln -s cpu,cpuacct /sys/fs/cgroup/cpu
ln -s cpu,cpuacct /sys/fs/cgroup/cpuacct`,
};

/** One line of what `guest.ts` tells. */
export type GuestLine =
  | { readonly name: string; readonly measured: Measured }
  | { readonly name: string; readonly failure: string };

/** What the guest's runs came to. */
export interface Guest {
  /** @throws Error where that run failed, with what the guest said */
  run(name: string): Measured;
}

/** Why no guest can be booted here, as the reason of a skipped suite; the kernel where one can. */
export function vmNeeds(): { readonly kernel: string } | { readonly lacking: string } {
  if (process.arch !== 'x64') return { lacking: 'needs an x86-64 machine' };
  const missing = lacking(QEMU, 'setpriv', 'truncate', 'ldd', ...PROGRAMS);
  if (missing !== false) return { lacking: missing };
  const kernel = debianKernel();
  return 'path' in kernel ? { kernel: kernel.path } : kernel;
}

/** Boots that kernel, lets `guest.ts` do its runs, and gives what came of them when it is off. */
export async function bootGuest(
  kernel: string,
  arrangement: Arrangement,
  parameters: string,
): Promise<Guest> {
  const folder = makeFolder();
  const files = { initrd: join(folder, 'initrd'), disk: join(folder, 'disk') };
  const consoleLog = join(folder, 'console');
  makeInitrd(files.initrd, folder, arrangement);
  makeSparseFile(files.disk, DISK_MIB);
  const argv = [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '2G', '-no-reboot'],
    ...['-display', 'none', '-monitor', 'none', '-nic', 'none'],
    ...['-serial', `file:${consoleLog}`, '-serial', 'stdio'],
    ...['-drive', `file=${files.disk},format=raw,if=none,id=disk`],
    ...['-device', 'nvme,serial=lab,drive=disk'],
    ...['-kernel', kernel, '-initrd', files.initrd],
    ...['-append', `console=ttyS0 quiet panic=-1 rdinit=/init ${parameters}`],
  ];
  // Without us there is nobody to end it.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', QEMU, ...argv], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIFETIME_MS,
    killSignal: 'SIGKILL',
  });
  let [told, complaints] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  await once(child, 'close');
  const lines: GuestLine[] = told
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const said = `${complaints}\n${readFileSync(consoleLog, 'utf8')}`;
  return { run: (name) => resultOf(lines, name, said) };
}

function resultOf(lines: readonly GuestLine[], name: string, said: string): Measured {
  const line = lines.find((one) => one.name === name);
  if (line === undefined) throw new Error(`the guest did not come to ${name}\n${said}`);
  if ('failure' in line) throw new Error(`${name}: ${line.failure}\n${said}`);
  return line.measured;
}

function makeInitrd(path: string, folder: string, arrangement: Arrangement): void {
  const archive = new Archive(path);
  archive.console();
  for (const dir of ['/proc', '/sys', '/tmp', '/usr/lib64', '/usr/sbin']) archive.folder(dir);
  for (const dir of ['bin', 'lib', 'lib64', 'sbin']) archive.link(`/${dir}`, `usr/${dir}`);
  const programs = PROGRAMS.map((name): [string, string] => [name, pathOf(name)]);
  const libraries = new Set<string>();
  for (const [name, source] of [...programs, ['node', process.execPath] as const]) {
    archive.copy(`/usr/bin/${name}`, source);
    for (const library of librariesOf(source)) libraries.add(library);
  }
  archive.link('/usr/bin/sh', 'busybox');
  for (const library of libraries) archive.copy(library.replace(/^\/lib/, '/usr/lib'), library);
  archive.copy('/lab/agent.js', AGENT);
  for (const program of ['load', 'guest']) {
    const bundled = join(folder, `${program}.mjs`);
    bundle(`${program}.ts`, bundled);
    archive.copy(`/lab/${program}.mjs`, bundled);
  }
  archive.file('/init', initOf(arrangement));
  archive.close();
}

function initOf(arrangement: Arrangement): string {
  return `#!/usr/bin/busybox sh
export PATH=/usr/bin:/busybox
busybox mkdir /busybox
busybox mount -t proc proc /proc
busybox --install -s /busybox
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
${MOUNTS[arrangement]}
node /lab/guest.mjs ${arrangement} >/dev/ttyS1
poweroff -f
`;
}

function pathOf(command: string): string {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' });
  return realpathSync(stdout.trim());
}

/** None of a static program. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, path = '']) => path);
}
