/**
 * /proc/zoneinfo, of each zone:
 *
 *     Node 0, zone    DMA32
 *       pages free     765432
 *             min      2735
 *             low      3418
 *
 * in pages.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_zoneinfo.5.html
 */

/** The sum of all low watermarks, in pages; NaN where the text names none. */
export function parseLowWatermarks(text: string): number {
  let pages = Number.NaN;
  for (const line of text.split('\n')) {
    const low = /^\s+low\s+(\d+)\s*$/.exec(line)?.[1];
    if (low !== undefined) pages = (Number.isNaN(pages) ? 0 : pages) + Number(low);
  }
  return pages;
}
