/**
 * What macOS's vm_stat prints:
 *
 *     Mach Virtual Memory Statistics: (page size of 16384 bytes)
 *     Pages free:                              230372.
 *     "Translation faults":                4294967296.
 *
 * The page is 4,096 bytes on Intel and 16,384 on Apple silicon. Before 10.9 there are no lines for
 * anonymous pages and the compressor; labels that are not known are passed over.
 *
 * @see https://github.com/apple-oss-distributions/system_cmds/tree/main/vm_stat
 */

/** Bytes in use, as Activity Monitor's "Memory Used" reckons: apps, wired and compressed. */
export function parseVmStat(text: string): number {
  const page = Number(/page size of (\d+) bytes/.exec(text)?.[1]);
  const pages = (label: string): number => {
    const line = new RegExp(`^"?${label}"?:\\s+(\\d+)\\.?\\s*$`, 'm').exec(text);
    return Number(line?.[1]);
  };
  const apps = pages('Anonymous pages') - pages('Pages purgeable');
  const wired = pages('Pages wired down');
  const inUse = apps + wired + pages('Pages occupied by compressor');
  // Old systems name neither; what they call active is the nearest.
  const used = Number.isNaN(inUse) ? pages('Pages active') + wired : inUse;
  if (Number.isNaN(used * page))
    throw new SyntaxError('no page size, or no line "Pages wired down"');
  return used * page;
}
