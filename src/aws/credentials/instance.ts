import { AwsError, ConfigError, NoDataError } from '../../errors.ts';
import type { Imds } from '../../metadata/imds.ts';
import { parseFields, textOf } from '../../metadata/json.ts';
import { retry } from '../call.ts';
import { redactCode, redactText } from '../redact.ts';
import type { ProviderContext } from './context.ts';
import type { Identity } from './identity.ts';
import { readCredentials } from './json.ts';

const PATH = '/latest/meta-data/iam/security-credentials/';
const PROFILE = 'AWS_EC2_INSTANCE_PROFILE_NAME';
/** Taken as it is: kube2iam and kiam list an ARN. A page, or the credentials themselves, are none. */
const ROLE = /^[^\s<>{}"\p{Cc}]+$/u;
const [TRIES, PAUSE_MS] = [3, 100];

/**
 * The role of an EC2 instance; nothing where it has none.
 *
 * @throws NoDataError where there is no instance metadata
 * @throws AwsError where EC2 could not assume the role, which it says with HTTP 200
 */
export async function fromInstance(context: ProviderContext): Promise<Identity | undefined> {
  const { environment, imds, profiles, signal } = context;
  if (environment[PROFILE]?.trim() === '') throw new ConfigError(PROFILE, 'is set but blank');
  const given = profiles.setting(PROFILE, 'ec2_instance_profile_name');
  return retry(context, TRIES, PAUSE_MS, async () => {
    const role = given ?? (await firstRole(imds, signal));
    if (!role) return undefined;
    const body = await imds.get(PATH + role, signal);
    const fields = parseFields(body ?? '');
    const code = redactCode(textOf(fields, 'Code'));
    if (code !== '' && code !== 'Success') {
      const message = redactText(textOf(fields, 'Message'));
      const problem = `the instance role ${role}: ${code}${message && `: ${message}`}`;
      throw new AwsError(code, problem, { peer: 'imds' });
    }
    const names = ['AccessKeyId', 'SecretAccessKey', 'Token', 'Expiration'] as const;
    const provided = readCredentials(fields, names, 'instance metadata');
    if (provided !== undefined) {
      return { ...provided, provider: `the instance role ${role}`, isManaged: true };
    }
    const what = body === undefined ? 'nothing' : 'no credentials';
    throw new AwsError('NoCredentials', `instance metadata has ${what} for the role ${role}`, {
      peer: 'imds',
      again: true,
    });
  });
}

/**
 * The first line that is not blank.
 *
 * @throws NoDataError also where it answers wrongly: it was only tried, and may be something else
 */
async function firstRole(imds: Imds, signal: AbortSignal): Promise<string | undefined> {
  try {
    const list = await imds.get(PATH, signal);
    const role = list?.split('\n').find((line) => line.trim() !== '');
    if (role === undefined || ROLE.test(role.trim())) return role?.trim();
    throw new NoDataError('instance metadata answered something else than a role’s name');
  } catch (error) {
    if (error instanceof AwsError) throw new NoDataError(error.message, { cause: error });
    throw error;
  }
}
