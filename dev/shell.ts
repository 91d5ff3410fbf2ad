/** `npm run shell`: the man page and the completions, into dist/; `npm pack` does it, too. */
import { mkdir, writeFile } from 'node:fs/promises';
import { FLAGS } from '../src/config/table.ts';
import { VERSION } from '../src/version.ts';
import { bashCompletion, zshCompletion } from './completions.ts';
import { manPage } from './man.ts';

const FILES = {
  'cloudwatch-metrics-agent.1': manPage(VERSION, FLAGS),
  'completions/cloudwatch-metrics-agent.bash': bashCompletion(FLAGS),
  'completions/_cloudwatch-metrics-agent': zshCompletion(FLAGS),
};

const dist = new URL('../dist/', import.meta.url);
await mkdir(new URL('completions/', dist), { recursive: true });
for (const [name, text] of Object.entries(FILES)) await writeFile(new URL(name, dist), text);
console.log(`dist/${Object.keys(FILES).join(', dist/')}`);
