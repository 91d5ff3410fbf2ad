import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from '../support/program.ts';

const ASK = fileURLToPath(new URL('../support/aws/ask-name.ts', import.meta.url));
/** A loopback, a resolv.conf, and then the command. */
const SET_UP = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';

test('a resolver that drops the question for IPv6 is not waited for', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lookup-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, 'nameserver 127.0.0.1\n');
  const inside = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', SET_UP, 'sh', file];
  const probe = start('unshare', [...inside, 'true']);
  if ((await probe.ended.catch(() => 1)) !== 0) {
    return t.skip('SKIP: no right to make a network with a resolver of its own');
  }
  const program = start('unshare', [...inside, process.execPath, '--import', 'tsx', ASK]);
  assert.equal(await program.ended, 0, program.stderr());
  const { error, addresses, atAnswer, asked } = JSON.parse(program.stdout());
  assert.deepEqual([error ?? 'none', addresses], ['none', [{ address: '127.0.0.1', family: 4 }]]);
  assert.deepEqual(atAnswer.sort(), ['A', 'AAAA'], 'it would be asked again after a second');
  assert.deepEqual(asked.sort(), ['A', 'AAAA'], 'and nothing was left under way');
});
