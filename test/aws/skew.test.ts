import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSkew } from '../../src/aws/skew.ts';
import { each, errorXml, NOW_MS, profileKeys, rigs, stsXml } from '../support/aws/aws.ts';
import { drivenClock } from '../support/clock.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

const STS = 'POST sts.eu-west-1.amazonaws.com/';

describe('the difference of clocks', () => {
  test('the Date of an answer is learned, save from a cache or after a long sleep', () => {
    const clock = drivenClock(NOW_MS);
    const skew = createSkew(clock);
    const at = (ms: number): string => new Date(ms).toUTCString();
    const learn = (headers: Record<string, string>, sentMs = NOW_MS): boolean =>
      skew.learn({ status: 403, headers, body: '' }, sentMs, skew.nowMs());
    assert.equal(learn({}), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000), age: '5' }), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }, NOW_MS - 16 * 60_000), false);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }, NOW_MS + 1), false);
    assert.equal(learn({ date: at(NOW_MS + 230_000) }), false);
    assert.equal(skew.offsetMs(), 0);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }), true);
    assert.equal(skew.nowMs(), NOW_MS + 600_000);
    assert.equal(learn({ date: at(NOW_MS + 600_000) }), false, 'it is corrected for already');
  });

  test('STS is asked again at once with the corrected time', async () => {
    const config = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${profileKeys('B')}`;
    const date = new Date(NOW_MS + 3_600_000).toUTCString();
    const expires = '2026-11-23T16:00:00Z';
    const replies = {
      [STS]: each(
        [403, errorXml('SignatureDoesNotMatch', 'Signature expired'), { date }],
        [200, stsXml('AssumeRole', 'ROLE', expires), { date }],
      ),
    };
    const made = await on({ files: { config }, replies });
    assert.equal((await made.resolve()).accessKeyId, 'ROLE');
    const dates = made.elsewhere.seen.map(({ headers }) => headers['x-amz-date']);
    assert.deepEqual(dates, ['20261123T080000Z', '20261123T090000Z']);
  });
});
