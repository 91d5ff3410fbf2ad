import type { CpuTicks } from '../kernel/stat.ts';
import type { MachineTicks, Source } from '../metrics/reading.ts';
import { type Machine, openMachine } from './machine.ts';
import { lessOwn, type OwnUse, type SourceOptions } from './options.ts';
import { commonReaders, HOST_TROUBLE, readSwap, troubleReaders } from './pressure.ts';
import { type GroupReader, gauge, sourceOf } from './readers.ts';
import type { Host } from './rootfs.ts';

/** A tick is 10 ms on every machine that Node runs on. */
const USEC_A_TICK = 10_000;

/** The whole machine: all its CPUs, all its memory. */
export function openHostSource(host: Host, options: SourceOptions): Source {
  const { memoryMode, excludeSelf, ownUse, wanted } = options;
  const machine = openMachine(host);
  const ticks = (): CpuTicks => machine.readTicks();
  return sourceOf(
    () => `scope=host source=host cpu=/proc/stat mem=/proc/meminfo mem.mode=${memoryMode}`,
    {
      ticks: ticksReader(machine, excludeSelf ? () => withoutOwn(ticks(), ownUse()) : ticks),
      memory: gauge(() => lessOwn(machine.readMemory(memoryMode), options)),
      swap: wanted.has('swap') ? gauge(readSwap(host)) : undefined,
      ...troubleReaders(host, HOST_TROUBLE, options),
      ...commonReaders(host, options),
    },
    host.close,
  );
}

/** @param cores what counts as 100 %; all CPUs that are online where nothing is given */
export function ticksReader(
  machine: Machine,
  read: () => CpuTicks,
  cores?: number,
): GroupReader<MachineTicks> {
  let list: string | undefined;
  let online = 0;
  return gauge(
    () => {
      const ticks = read();
      const listed = machine.readOnline();
      if (listed !== list) online = machine.countOnline();
      list = listed;
      return { ticks, online, cores: cores ?? online };
    },
    () => list ?? '',
  );
}

function withoutOwn(ticks: CpuTicks, { cpuUsec }: OwnUse): CpuTicks {
  return { ...ticks, user: ticks.user - cpuUsec / USEC_A_TICK };
}
