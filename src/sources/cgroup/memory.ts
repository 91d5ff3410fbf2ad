import { NoDataError } from '../../errors.ts';
import type { Fill } from '../../metrics/reading.ts';
import { bytesText, type Limited, rescanned, taskLimit, tightest } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { lessOwn } from '../options.ts';
import { gauge } from '../readers.ts';
import type { Host } from '../rootfs.ts';
import type { ContainerPart } from './cpu.ts';
import { type Cgroups, placeOf } from './hierarchy.ts';
import { type MemoryLevel, memoryLevels } from './levels.ts';
import type { ContainerOptions } from './source.ts';
import { readSwapOf } from './swap.ts';

/** @throws NoDataError, ParseError where the container's memory cannot be read */
export function openContainerMemory(
  host: Host,
  machine: Machine,
  cgroups: Cgroups,
  options: ContainerOptions,
): ContainerPart {
  const { memoryMode, wanted } = options;
  const place = placeOf(cgroups.memory);
  const [own, ...parents] = memoryLevels(host, place, memoryMode);
  if (own === undefined) throw new NoDataError('no folder counts memory');
  own.readUsed();

  // What is not below what the machine has is no limit: version 1 writes a huge number for none.
  const scan = (): readonly [Limited<MemoryLevel>, ...Limited<MemoryLevel>[]] => {
    const total = { value: machine.readMemory('workingset').limit, from: 'MemTotal' };
    const bytes = tightest(
      total,
      { value: own.readLimit(), from: `limit of ${own.folder}` },
      taskLimit(options.taskLimits?.bytes),
    );
    const above = parents
      .map((level) => ({ level, value: level.readLimit(), from: `limit of ${level.folder}` }))
      .filter(({ value }) => value < total.value);
    return [{ level: own, ...bytes }, ...above];
  };
  const current = rescanned(scan);

  /** The level that is fullest, since that is where the OOM killer strikes first. */
  const readMemory = (nowMs: number): Fill =>
    current(nowMs)
      .map(({ level, value }) => lessOwn({ used: level.readUsed(), limit: value }, options))
      .reduce((fullest, fill) =>
        fill.used / fill.limit > fullest.used / fullest.limit ? fill : fullest,
      );
  return {
    readers: {
      memory: gauge(readMemory),
      swap: wanted.has('swap') ? gauge(readSwapOf(host, place)) : undefined,
    },
    describe: () =>
      `${bytesText(tightest(...scan()))} mem.mode=${memoryMode} mem.dir=${own.folder}`,
  };
}
