import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError, ParseError } from '../../src/errors.ts';
import { rigs } from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

describe('files that are none', () => {
  test('a folder and a FIFO in a file’s place are errors and no hang', async () => {
    const { execFileSync } = await import('node:child_process');
    const made = await on({ files: { x: '' } });
    mkdirSync(join(made.home, '.aws/config'), { recursive: true });
    await assert.rejects(made.resolve(), /expected an ordinary file/);
    const fifo = await on({ files: { '.aws/x': '' } });
    execFileSync('mkfifo', [join(fifo.home, '.aws/config')]);
    await assert.rejects(fifo.resolve(), /expected an ordinary file/);
  });

  test('a file of more than a mebibyte is not read', async () => {
    const made = await on({ files: { config: '#'.repeat(1_100_000) } });
    await assert.rejects(made.resolve(), ConfigError);
  });

  test('a broken file is named with its line, and the line is not repeated', async () => {
    const made = await on({ files: { credentials: '[default]\nsecret-of-LINE' } });
    await assert.rejects(made.resolve(), (error) => {
      assert.ok(error instanceof ParseError);
      assert.match(error.message, /credentials: line 2: expected NAME = VALUE$/);
      return true;
    });
  });
});
