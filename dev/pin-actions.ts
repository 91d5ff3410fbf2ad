/**
 * `node --import tsx dev/pin-actions.ts`: pins each action of the workflows to the commit that its tag is now,
 * with the tag behind it as a comment; run again, it follows the tag. It asks GitHub, so it needs a network;
 * nobody runs it in CI, and no commit is written that GitHub did not name.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = '.github/workflows';
/** `uses: actions/checkout@v5`, or `uses: actions/checkout@<commit> # v5` */
const USES = /(\buses:\s*)([\w.-]+\/[\w.-]+)((?:\/[\w./-]+)?)@(\S+)(?:\s+#\s*(\S+))?/g;

const commits = new Map<string, string>();

/** @throws Error where there is no such tag, or GitHub cannot be asked */
function commitOf(repository: string, tag: string): string {
  const key = `${repository}@${tag}`;
  const known = commits.get(key);
  if (known !== undefined) return known;
  const url = `https://github.com/${repository}`;
  const refs = [`refs/tags/${tag}`, `refs/tags/${tag}^{}`];
  const lines = execFileSync('git', ['ls-remote', url, ...refs], { encoding: 'utf8' }).split('\n');
  // An annotated tag has a commit behind it, which comes last.
  const [commit = ''] =
    lines
      .filter((line) => line !== '')
      .at(-1)
      ?.split('\t') ?? [];
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new Error(`${url} has no tag ${tag}`);
  commits.set(key, commit);
  return commit;
}

for (const name of readdirSync(FOLDER).filter((file) => /\.ya?ml$/.test(file))) {
  const path = join(FOLDER, name);
  const text = readFileSync(path, 'utf8');
  const pinned = text.replace(USES, (_, uses, repository, folder, ref, tag = ref) => {
    const commit = commitOf(repository, tag);
    console.log(`${path}: ${repository}${folder} ${tag} is ${commit}`);
    return `${uses}${repository}${folder}@${commit} # ${tag}`;
  });
  writeFileSync(path, pinned);
}
