import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerfileParser } from 'dockerfile-ast';

/** Where the build's context is. */
export const CONTEXT: string = fileURLToPath(new URL('../../../', import.meta.url));

export interface Instruction {
  readonly keyword: string;
  readonly flags: readonly string[];
  readonly words: readonly string[];
}

/** A Dockerfile: what its first stage checks, and what its last stage makes of it. */
export interface Image {
  readonly instructions: readonly Instruction[];
  /** Files of the context. */
  readonly sources: readonly string[];
  readonly check: readonly string[];
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  readonly stopSignal: string;
  readonly user: number;
  readonly environment: readonly string[];
}

export function readImage(name: string): Image {
  const instructions = DockerfileParser.parse(readFileSync(join(CONTEXT, name), 'utf8'))
    .getInstructions()
    .map((instruction): Instruction => {
      const words = instruction.getArguments().map((word) => word.getValue());
      const flags = instruction.getTextContent().match(/ --[a-z]+=\S+/g) ?? [];
      return { keyword: instruction.getKeyword(), flags, words };
    });
  const last = (keyword: string): Instruction => {
    const found = instructions.filter((one) => one.keyword === keyword).at(-1);
    if (found === undefined) throw new Error(`${name} has no ${keyword}`);
    return found;
  };
  return {
    instructions,
    sources: instructions
      .filter(({ keyword, flags }) => keyword === 'COPY' && !flags.join().includes('--from'))
      .flatMap(({ words }) => words.slice(0, -1)),
    check: execForm(last('RUN')),
    entrypoint: execForm(last('ENTRYPOINT')),
    healthcheck: execForm(last('HEALTHCHECK')),
    stopSignal: last('STOPSIGNAL').words[0] ?? '',
    user: Number(last('USER').words[0]?.split(':')[0]),
    environment: instructions
      .filter(({ keyword }) => keyword === 'ENV')
      .flatMap(({ words }) => words),
  };
}

/** @throws SyntaxError where it is in the shell's form */
function execForm({ words }: Instruction): readonly string[] {
  const [list = ''] = /\[.*\]$/s.exec(words.join(' ')) ?? [];
  const parsed: unknown = JSON.parse(list);
  if (!Array.isArray(parsed)) throw new SyntaxError(`${words.join(' ')} is not in the exec form`);
  return parsed.map(String);
}

/** The image's files: Node where the base has it, on the system's own base files, and what is copied. */
export function layImage(image: Image, rootfs: string, node: string): void {
  for (const dir of ['dev', 'proc', 'sys', 'tmp', 'etc', 'opt']) {
    mkdirSync(join(rootfs, dir), { recursive: true });
  }
  const [command = ''] = image.entrypoint;
  // The base's own PATH leads there.
  const place = join(rootfs, command.startsWith('/') ? command : `/usr/local/bin/${command}`);
  mkdirSync(dirname(place), { recursive: true });
  linkSync(node, place);
  for (const [, library = ''] of execFileSync('ldd', [node], { encoding: 'utf8' }).matchAll(
    /(?:=> |^\s+)(\/\S+) \(/gm,
  )) {
    mkdirSync(join(rootfs, dirname(library)), { recursive: true });
    copyFileSync(library, join(rootfs, library));
  }
  for (const { keyword, flags, words } of image.instructions) {
    const [from = '', to = ''] = words;
    if (keyword !== 'COPY' || !flags.join().includes('--from=checked')) continue;
    const checked = image.sources.find((path) => from.endsWith(path.replace('dist', '')));
    if (checked === undefined) throw new Error(`${from} is copied from nowhere`);
    copyFileSync(join(CONTEXT, checked), join(rootfs, to));
  }
}

export interface Restrictions {
  readonly cgroupsPath: string;
  readonly memoryMiB: number;
  readonly pids: number;
  readonly cores?: number;
  /** More for the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Behind the entrypoint. */
  readonly argv: readonly string[];
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What `docker run --read-only --cap-drop ALL --security-opt no-new-privileges --network host` makes of it. */
export function writeBundle(bundle: string, rootfs: string, image: Image, how: Restrictions): void {
  const safe = ['nosuid', 'noexec', 'nodev'];
  const { cgroupsPath, memoryMiB, pids, cores, environment, argv } = how;
  const none: readonly string[] = [];
  const limit = memoryMiB * 2 ** 20;
  const tmpfs = (destination: string, ...options: string[]): object => {
    return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', ...options] };
  };
  const config = {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: image.user, gid: image.user },
      args: [...image.entrypoint, ...argv],
      env: [
        PATH,
        ...image.environment,
        ...Object.entries(environment).map((pair) => pair.join('=')),
      ],
      cwd: '/',
      capabilities: { bounding: none, effective: none, permitted: none, inheritable: none },
      noNewPrivileges: true,
    },
    root: { path: rootfs, readonly: true },
    hostname: 'image',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: safe },
      tmpfs('/dev', 'mode=755', 'strictatime'),
      tmpfs('/dev/shm', 'mode=1777', 'size=65536k', 'noexec', 'nodev'),
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: [...safe, 'relatime', 'ro'],
      },
    ],
    linux: {
      cgroupsPath,
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        // Without swap, so that the limit is one.
        memory: { limit, swap: limit },
        pids: { limit: pids },
        ...(cores === undefined ? {} : { cpu: { quota: cores * 100_000, period: 100_000 } }),
      },
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
}

/** Node of that version from its package, unpacked once in a folder. */
export function packagedNode(folder: string, version: number): string {
  const name = `node${version}`;
  const path = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(path)) {
    writeFileSync(join(folder, 'package.json'), '{}');
    const spec = `${name}@npm:node-linux-${process.arch}@${version}`;
    const flags = ['install', '--no-audit', '--no-fund', '--prefix', folder, spec];
    execFileSync('npm', flags, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  return path;
}
