/** So many letters may be wrong, missing or too many. */
const MOST_WRONG = 3;

/** The known name that one may mean; nothing where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((one): [string, number] => [one, distance(name, one)])
    .sort(([, one], [, other]) => one - other);
  const [best, wrong] = ranked[0] ?? ['', Number.POSITIVE_INFINITY];
  return wrong <= MOST_WRONG ? best : undefined;
}

/** Levenshtein's: how many letters are to be put in, taken out or changed. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [index, target] of [...other].entries()) {
      const [above = 0, left = 0, corner = 0] = [row[index + 1], next[index], row[index]];
      next.push(Math.min(above + 1, left + 1, corner + (letter === target ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
