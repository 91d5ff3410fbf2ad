import { AwsError } from '../../errors.ts';
import { type Fields, textOf } from '../../metadata/json.ts';
import { keepSecret } from '../redact.ts';
import { flawOf, type Provided, parseInstant } from './identity.ts';

/** How a provider calls the four; the token's name ends in `?` where it may be missing. */
export type Names = readonly [id: string, secret: string, token: string, expires: string];

/**
 * Credentials from JSON; nothing where one is missing or the end is no instant.
 *
 * @param who gives them, for the message
 * @throws AwsError where one holds what no key has
 */
export function readCredentials(
  fields: Fields | undefined,
  names: Names,
  who: string,
): Provided | undefined {
  const [id, secret, token, expires] = names;
  const [accessKeyId, secretAccessKey] = [id, secret].map((name) => textOf(fields, name).trim());
  const sessionToken = textOf(fields, token.replace('?', '')).trim();
  if (!accessKeyId || !secretAccessKey) return undefined;
  if (sessionToken === '' && !token.endsWith('?')) return undefined;
  for (const name of [id, secret, token.replace('?', '')]) {
    const flaw = flawOf(textOf(fields, name).trim());
    if (flaw === undefined) continue;
    throw new AwsError('BadKeys', `${who}: ${name} holds ${flaw}, which no key or token has`);
  }
  keepSecret(secretAccessKey, sessionToken);
  const end = fields?.[expires];
  const expiresMs = typeof end === 'string' ? parseInstant(end) : end;
  const isInstant = typeof expiresMs === 'number' && Number.isFinite(expiresMs);
  if (end !== undefined && end !== null && !isInstant) return undefined;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === '' ? undefined : { sessionToken }),
    ...(isInstant ? { expiresMs } : undefined),
  };
}
