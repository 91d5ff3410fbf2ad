import { AwsError, ConfigError } from '../../errors.ts';
import { parseFields, textOf } from '../../metadata/json.ts';
import { retry } from '../call.ts';
import { redactCode, redactText } from '../redact.ts';
import type { ProviderContext } from './context.ts';
import type { Identity } from './identity.ts';
import { readCredentials } from './json.ts';

const PATH = '/latest/meta-data/iam/security-credentials/';
const PROFILE = 'AWS_EC2_INSTANCE_PROFILE_NAME';
/** @see https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html */
const ROLE = /^[\w+=,.@-]{1,128}$/;
const [TRIES, PAUSE_MS] = [3, 100];

/**
 * The role of an EC2 instance; nothing where it has none.
 *
 * @throws NoDataError where there is no instance metadata
 * @throws AwsError where EC2 could not assume the role, which it says with HTTP 200
 */
export async function fromInstance(context: ProviderContext): Promise<Identity | undefined> {
  const { environment, imds, profiles, clock, signal } = context;
  if (environment[PROFILE]?.trim() === '') throw new ConfigError(PROFILE, 'is set but blank');
  const given = profiles.setting(PROFILE, 'ec2_instance_profile_name');
  return retry(clock, signal, TRIES, PAUSE_MS, async () => {
    const role = given ?? (await imds.get(PATH, signal))?.split('\n')[0]?.trim();
    if (!role) return undefined;
    if (!ROLE.test(role)) {
      throw new AwsError('NoRole', 'instance metadata answered something else than a role’s name', {
        again: true,
      });
    }
    const body = await imds.get(PATH + encodeURIComponent(role), signal);
    const fields = parseFields(body ?? '');
    const code = redactCode(textOf(fields, 'Code'));
    if (code !== '' && code !== 'Success') {
      const message = redactText(textOf(fields, 'Message'));
      throw new AwsError(code, `the instance role ${role}: ${code}${message && `: ${message}`}`);
    }
    const names = ['AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'] as const;
    const provided = readCredentials(fields, names);
    if (provided !== undefined) {
      return { ...provided, provider: `the instance role ${role}`, isManaged: true };
    }
    const what = body === undefined ? 'nothing' : 'no credentials';
    throw new AwsError('NoCredentials', `instance metadata has ${what} for the role ${role}`, {
      again: true,
    });
  });
}
