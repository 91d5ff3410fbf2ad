import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** 27 MB are fetched once. */
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/lab-kernel/', import.meta.url));
/** Debian's package that names the newest kernel for virtual machines; its drivers are built in. */
const LATEST = 'linux-image-cloud-amd64';
const DOWNLOAD_MS = 120_000;

/** The file of a Debian kernel, or why there is none. */
export function debianKernel(): { readonly path: string } | { readonly lacking: string } {
  mkdirSync(CACHE, { recursive: true });
  const cached = readdirSync(CACHE).find((name) => name.endsWith('.vmlinuz'));
  if (cached !== undefined) return { path: join(CACHE, cached) };
  const name = newest();
  if (name === undefined)
    return { lacking: `no package ${LATEST}: apt-get update, on Debian amd64` };
  const path = join(CACHE, `${name}.vmlinuz`);
  const { status, stderr } = fetchKernel(name, path);
  return status === 0 ? { path } : { lacking: `no kernel: ${stderr.trim().split('\n').at(-1)}` };
}

function newest(): string | undefined {
  const { stdout } = run('apt-cache', ['depends', LATEST]);
  return /^ *Depends: (linux-image-\S+-cloud-amd64)$/m.exec(stdout ?? '')?.[1];
}

/** Only the kernel itself is taken out of the package, and only a whole one gets its name. */
function fetchKernel(name: string, path: string): SpawnSyncReturns<string> {
  const folder = join(CACHE, `${name}.${process.pid}`);
  mkdirSync(folder);
  const script = `set -e
apt-get download "$1"
dpkg-deb --fsys-tarfile ./*.deb | tar --extract --to-stdout "./boot/vmlinuz-\${1#linux-image-}" >vmlinuz`;
  const fetched = run('sh', ['-c', script, 'sh', name], folder);
  if (fetched.status === 0 && !existsSync(path)) renameSync(join(folder, 'vmlinuz'), path);
  rmSync(folder, { recursive: true });
  return fetched;
}

function run(command: string, argv: readonly string[], cwd = CACHE): SpawnSyncReturns<string> {
  return spawnSync(command, argv, { cwd, encoding: 'utf8', timeout: DOWNLOAD_MS });
}
