import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Task, TaskMetadata } from '../../src/metadata/ecs.ts';
import { makeRoot, type Root } from './root.ts';

export const MEBIBYTE: number = 1024 * 1024;
const MEMINFO = 'MemTotal: 2097152 kB\nMemFree: 1048576 kB\nMemAvailable: 1572864 kB\n';
const MOUNTS = '1 0 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n';

/** What one control group has used, and may use. */
export interface Group {
  readonly usageUsec?: number;
  readonly bytes?: number;
  /** Cores; none where it is left out. */
  readonly cores?: number;
  readonly limitBytes?: number;
  /** Page cache that can be had back. */
  readonly inactive?: number;
}

/** A machine of four CPUs and 2 GiB whose files are made up, with containers in it. */
export interface Pod extends Root {
  /** The files of a control group (version 2) at a folder. */
  group(folder: string, group: Group): void;
  /** This process's own container, with namespaces of its own. */
  own(group: Group): void;
  /** The files of another container, by its name. */
  container(name: string, group: Group): void;
  /** A process of a container; without one its /proc/PID/root cannot be read. */
  process(
    pid: number | 'self',
    cgroup: string,
    more?: {
      readonly in?: string;
      readonly comm?: string;
      readonly uid?: number;
      readonly state?: string;
      /** CPU time in ticks, resident pages and threads. */
      readonly ticks?: number;
      readonly pages?: number;
      readonly threads?: number;
    },
  ): void;
  gone(...paths: readonly string[]): void;
}

/** A machine; a container where {@link Pod.own} makes it one. */
export function makePod(): Pod {
  const root = makeRoot({
    'proc/stat': 'cpu  100 0 0 100 0 0 0 0\n',
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/\n',
    'proc/self/mountinfo': MOUNTS,
    'sys/devices/system/cpu/online': '0-3\n',
  });
  const pod: Pod = {
    ...root,
    group(folder, { usageUsec = 0, bytes = MEBIBYTE, cores, limitBytes, inactive = 0 }) {
      const quota = cores === undefined ? 'max' : String(cores * 100_000);
      root.write({
        [`${folder}/cpu.stat`]: `usage_usec ${usageUsec}\nnr_periods 0\nnr_throttled 0\n`,
        [`${folder}/cpu.max`]: `${quota} 100000\n`,
        [`${folder}/memory.current`]: `${bytes}\n`,
        [`${folder}/memory.stat`]: `anon ${bytes - inactive}\ninactive_file ${inactive}\n`,
        [`${folder}/memory.max`]: `${limitBytes ?? 'max'}\n`,
        [`${folder}/cgroup.procs`]: '1\n7\n',
      });
    },
    own(group) {
      root.link({
        'proc/self/ns/cgroup': 'cgroup:[4026532169]',
        'proc/self/ns/pid': 'pid:[4026532170]',
      });
      pod.group('sys/fs/cgroup', group);
    },
    container: (name, group) => pod.group(`containers/${name}/sys/fs/cgroup`, group),
    process(pid, cgroup, more = {}) {
      const { in: name, comm = 'app', uid = 0, state = 'S' } = more;
      const { ticks = 9000, pages = 9000, threads = 9 } = more;
      root.write({
        [`proc/${pid}/comm`]: `${comm}\n`,
        [`proc/${pid}/cgroup`]: `0::${cgroup}\n`,
        [`proc/${pid}/status`]: `Name:\t${comm}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`,
        [`proc/${pid}/stat`]: `${pid} (${comm}) ${state} 0 1 1 0 -1 0 0 0 0 0 ${ticks} 0 0 0 20 0 ${threads} 0\n`,
        [`proc/${pid}/statm`]: `90000 ${pages} 1 1 0 1 0\n`,
      });
      if (name !== undefined) {
        root.link({ [`proc/${pid}/root`]: join(root.path, 'containers', name) });
      }
    },
    gone(...paths) {
      for (const path of paths) rmSync(join(root.path, path), { recursive: true, force: true });
    },
  };
  return pod;
}

/** A task of half a core and 512 MiB that holds the agent and whoever is named. */
export function taskOf(...others: readonly Task['containers'][number][]): Task {
  return {
    cluster: 'c',
    arn: 'arn:aws:ecs:eu-west-1:1:task/c/t',
    family: 'f',
    serviceName: '',
    launchType: 'EC2',
    availabilityZone: 'eu-west-1a',
    cores: 0.5,
    memoryBytes: 512 * MEBIBYTE,
    containers: [{ id: 'own', name: 'agent', type: 'NORMAL', status: 'RUNNING' }, ...others],
  };
}

/** An endpoint that answers with what it is asked at the moment; an Error is its failure. */
export function metadataOf(current: () => Task | Error): () => Promise<TaskMetadata> {
  return () =>
    Promise.resolve({
      task: () => {
        const answer = current();
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
      ownId: () => Promise.resolve('own'),
      stats: () => Promise.resolve(new Map()),
    });
}
