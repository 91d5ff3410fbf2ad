// What a call of the library's `put` costs, in a process of its own.
import { fileURLToPath } from 'node:url';
import { completed, start } from './children.mjs';
import { median } from './measure.mjs';

const CALLS = 200_000;

/** ns and bytes a call, of so many runs. */
export async function measurePut(env, rounds) {
  const runs = [];
  const file = fileURLToPath(new URL('caller.cjs', import.meta.url));
  for (let round = 0; round < rounds; round += 1) {
    const caller = start('put', process.execPath, ['--expose-gc', file, `${CALLS}`], env);
    await completed(caller);
    runs.push(JSON.parse(caller.said));
  }
  return runs;
}

export function putLine(runs) {
  const [ns, bytes] = ['ns', 'bytes'].map((key) => median(runs.map((run) => run[key])));
  return `- a \`put\` of the library costs ${ns.toFixed(0)} ns and ${bytes.toFixed(2)} bytes`;
}
