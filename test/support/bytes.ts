/** What an earlier and longer file left in the buffer: keys and digits that a parser must not see. */
const STALE = [
  '0123456789 9 9 9 9\n',
  'cpu  9 9 9 9 9 9 9 9 9 9\nsome avg10=0.00 total=999\ntotal=999\n',
  'MemTotal: 999 kB\nMemFree: 999 kB\nMemAvailable: 99 kB\nBuffers: 9 kB\nCached: 99 kB\n',
  'Active(file): 9 kB\nInactive(file): 9 kB\nShmem: 9 kB\nSlab: 9 kB\nSReclaimable: 9 kB\n',
  'SwapTotal: 99 kB\nSwapFree: 9 kB\nSwapCached: 9 kB\nA: 9\nB: 9\n',
].join('');

/** A text where it lies: in front of what was read before it. */
export interface Laid {
  readonly bytes: Buffer;
  readonly end: number;
}

/** Lays a text as a file's reading leaves it, with bytes of an earlier one behind its end. */
export function laid(text: string): Laid {
  const own = Buffer.from(text, 'utf8');
  return { bytes: Buffer.concat([own, Buffer.from(STALE, 'latin1')]), end: own.length };
}
