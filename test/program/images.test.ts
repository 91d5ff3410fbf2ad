import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CONTEXT, type Image, readImage } from '../support/lab/image.ts';
import { start } from '../support/program.ts';

for (const file of ['Dockerfile.alpine', 'Dockerfile.distroless']) {
  describe(file, () => {
    const image: Image = readImage(file);
    const of = (keyword: string): string[] =>
      image.instructions
        .filter((one) => one.keyword === keyword)
        .map(({ flags, words }) => [...flags.map((flag) => flag.trim()), ...words].join(' '));

    test('copies what is there, and the context leaves that in', () => {
      assert.deepEqual(image.sources, ['dist/agent.js', 'dist/agent.js.sha256']);
      const ignored = readFileSync(join(CONTEXT, '.dockerignore'), 'utf8').split('\n');
      for (const source of image.sources) {
        assert.ok(existsSync(join(CONTEXT, source)), source);
        assert.ok(ignored.includes(`!${source}`), source);
      }
    });

    test('has each base as an argument with a tag, and none with a digest that nobody saw', () => {
      const bases = of('FROM').map((from) => /\$\{(\w+)\}/.exec(from)?.[1]);
      for (const base of bases) {
        const given = of('ARG').find((line) => line.startsWith(`${base}=`)) ?? '';
        assert.match(given, /=[\w./-]+:[\w.-]+(?:@sha256:[0-9a-f]{64})?$/, `${base}`);
      }
      assert.doesNotMatch(of('ARG').join('\n'), /:latest/);
    });

    test('builds nothing for a platform: what it runs, it runs where it is built', () => {
      assert.match(of('FROM')[0] ?? '', /^--platform=\$BUILDPLATFORM /);
      assert.equal(of('FROM').length, 2);
      assert.equal(of('RUN').length, 1);
    });

    test('is no root, ends by SIGTERM, and starts Node itself', () => {
      assert.equal(image.user, 65532);
      assert.equal(image.stopSignal, 'SIGTERM');
      assert.match(image.entrypoint.join(' '), /^(?:\/nodejs\/bin\/)?node \/opt\/agent\.js$/);
    });

    test('asks for the health of the file that it keeps', () => {
      const kept = image.environment.join().replace('METRICS_AGENT_STATUS_FILE=', '');
      assert.deepEqual(image.healthcheck, [...image.entrypoint, '--healthy', kept]);
    });

    test('says what it is', () => {
      for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
        assert.ok(of('LABEL').join().includes(`org.opencontainers.image.${label}=`), label);
      }
    });
  });
}

describe('pinning the bases', () => {
  const DIGEST = `sha256:${'a1'.repeat(32)}`;

  /** A registry that wants a token, as the public ones do. */
  async function pinned(text: string, tag: string): Promise<{ code: unknown; text: string }> {
    const registry = createServer((request, response) => {
      const { port } = registry.address() as AddressInfo;
      const url = new URL(request.url ?? '', `http://127.0.0.1:${port}`);
      if (url.pathname === '/token') {
        assert.equal(url.searchParams.get('scope'), 'repository:team/node:pull');
        response.end('{"token":"T"}');
      } else if (request.headers.authorization !== 'Bearer T') {
        const realm = `realm="http://127.0.0.1:${port}/token"`;
        const scope = 'service="s",scope="repository:team/node:pull"';
        response.writeHead(401, { 'www-authenticate': `Bearer ${realm},${scope}` }).end();
      } else if (url.pathname === `/v2/team/node/manifests/${tag}`) {
        response.writeHead(200, { 'docker-content-digest': DIGEST }).end();
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const { port } = registry.address() as AddressInfo;
    const folder = mkdtempSync(join(tmpdir(), 'pin-'));
    const file = join(folder, 'Dockerfile');
    writeFileSync(file, text.replaceAll('PORT', String(port)));
    const argv = ['--import', 'tsx', join(CONTEXT, 'dev/pin-bases.ts'), file];
    const program = start(process.execPath, argv, { cwd: CONTEXT });
    const code = await program.ended;
    registry.close();
    const after = readFileSync(file, 'utf8').replaceAll(String(port), 'PORT');
    rmSync(folder, { recursive: true });
    return { code, text: after };
  }

  test('writes what the registry says, once, and renews it', async () => {
    const text = 'ARG BASE=127.0.0.1:PORT/team/node:24\nARG VERSION=unknown\nFROM $BASE\n';
    const first = await pinned(text, '24');
    assert.equal(first.code, 0);
    assert.equal(first.text, text.replace('node:24', `node:24@${DIGEST}`));
    const old = first.text.replace(DIGEST, `sha256:${'0'.repeat(64)}`);
    assert.equal((await pinned(old, '24')).text, first.text);
  });

  test('changes nothing where there is no such tag', async () => {
    const text = 'ARG BASE=127.0.0.1:PORT/team/node:25\nFROM $BASE\n';
    const { code, text: after } = await pinned(text, '24');
    assert.deepEqual([code, after], [1, text]);
  });
});
