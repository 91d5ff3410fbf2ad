import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, NoDataError } from '../../src/errors.ts';
import { each, rigs, roleJson, type Scene } from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

const IMDS = '169.254.169.254';
const TOKEN = `PUT ${IMDS}/latest/api/token`;
const ROLES = `GET ${IMDS}/latest/meta-data/iam/security-credentials/`;
const INSTANCE = { [TOKEN]: 'tok', [ROLES]: 'role', [`${ROLES}role`]: roleJson('INSTANCE') };

async function keyOf(scene: Scene): Promise<string> {
  return (await (await on(scene)).resolve()).accessKeyId;
}

describe('instances', () => {
  test('a 200 that says AssumeRoleUnauthorizedAccess is an error with its message', async () => {
    const body = '{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}';
    const made = await on({ replies: { ...INSTANCE, [`${ROLES}role`]: body } });
    await assert.rejects(made.resolve(), /AssumeRoleUnauthorizedAccess: EC2 cannot/);
  });

  test('of the list of roles the first line counts', async () => {
    const replies = { ...INSTANCE, [ROLES]: 'role\nother\n', [`${ROLES}role`]: roleJson('FIRST') };
    assert.equal(await keyOf({ replies }), 'FIRST');
  });

  test('no list is no role, and 403 for the token may be that it is switched off', async () => {
    const none = await on({ replies: { [TOKEN]: 'tok' } });
    await assert.rejects(
      none.resolve(),
      /^NoDataError: no credentials: .*the instance has no role$/,
    );
    const off = await on({ replies: { [TOKEN]: [403, ''] } });
    await assert.rejects(
      off.resolve(),
      /^NoDataError: no credentials: .*\(HTTP 403\): it is switched off/,
    );
  });

  test('a token that ended half-way is fetched anew, once', async () => {
    const replies = {
      ...INSTANCE,
      [TOKEN]: each('old', 'new'),
      [`${ROLES}role`]: each([401, ''], roleJson('INSTANCE')),
    };
    const made = await on({ replies });
    assert.equal((await made.resolve()).accessKeyId, 'INSTANCE');
    const tokens = made.elsewhere.seen.map(({ headers }) => headers['x-aws-ec2-metadata-token']);
    assert.deepEqual(tokens, [undefined, 'old', 'old', undefined, 'new']);
  });

  test('AWS_EC2_METADATA_DISABLED=True', async () => {
    const environment = { AWS_EC2_METADATA_DISABLED: 'True' };
    const made = await on({ environment, replies: INSTANCE });
    await assert.rejects(made.resolve(), NoDataError);
    assert.deepEqual(made.asked(), []);
  });

  test('credentials that have expired already are used while there are no others', async () => {
    const past = roleJson('OLD', { Expiration: '2026-11-23T07:00:00Z' });
    assert.equal(await keyOf({ replies: { ...INSTANCE, [`${ROLES}role`]: past } }), 'OLD');
  });

  test('the endpoint’s mode in any case, and an error for a third one', async () => {
    const six = '[fd00:ec2::254]';
    const replies = {
      [`PUT ${six}/`]: 'tok',
      [`GET ${six}/latest/meta-data/iam/security-credentials/`]: 'role',
      [`GET ${six}/latest/meta-data/iam/security-credentials/role`]: roleJson('SIX'),
    };
    const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE';
    assert.equal(await keyOf({ environment: { [name]: 'ipv6' }, replies }), 'SIX');
    await assert.rejects((await on({ environment: { [name]: '6' } })).resolve(), ConfigError);
  });

  test('a Local Zone’s name is not cut down to a region', async () => {
    const document = `GET ${IMDS}/latest/dynamic/instance-identity/document`;
    const replies = {
      [TOKEN]: 'tok',
      [`GET ${IMDS}/latest/meta-data/placement/availability-zone`]: 'us-west-2-lax-1a',
      [document]: '{"region":"us-west-2"}',
    };
    const made = await on({ environment: { AWS_REGION: '' }, replies });
    const { region } = await made.aws.locate(new AbortController().signal);
    assert.deepEqual([region.name, region.from], ['us-west-2', 'instance metadata']);
    assert.ok(!made.asked().some((what) => what.includes('availability-zone')));
  });

  test('the PUT says Content-Length: 0, and nobody it came through', async () => {
    const made = await on({ replies: INSTANCE });
    await made.resolve();
    const { headers } = made.elsewhere.seen[0] ?? assert.fail();
    assert.equal(headers['content-length'], '0');
    assert.equal(headers['x-forwarded-for'], undefined);
  });

  test('the instance profile’s name may be given, and not as blanks', async () => {
    const name = 'AWS_EC2_INSTANCE_PROFILE_NAME';
    const made = await on({ environment: { [name]: 'role' }, replies: INSTANCE });
    await made.resolve();
    assert.ok(!made.asked().includes(ROLES));
    await assert.rejects((await on({ environment: { [name]: ' ' } })).resolve(), ConfigError);
  });

  test('first calls at the same time share one walk', async () => {
    const made = await on({ replies: INSTANCE });
    await Promise.all([made.resolve(), made.resolve(), made.resolve()]);
    assert.equal(made.elsewhere.seen.length, 3);
  });
});

test('a role that is listed by its ARN is asked for as it is', async () => {
  const arn = 'arn:aws:iam::123456789012:role/team/agent';
  const replies = { ...INSTANCE, [ROLES]: `\n${arn}\n`, [`${ROLES}${arn}`]: roleJson('ARN') };
  assert.equal(await keyOf({ replies }), 'ARN');
});
