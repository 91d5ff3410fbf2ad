/** `npm version` calls it: the version stands in package.json, and the program says the same. */
import { readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const text = `/** As in package.json, by \`npm version\`; a test holds the two together. */
export const VERSION = '${version}';
`;
writeFileSync('src/version.ts', text);
