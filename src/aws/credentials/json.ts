import { type Fields, textOf } from '../../metadata/json.ts';
import { type Provided, parseInstant } from './identity.ts';

/** How a provider calls the four; the token's name ends in `?` where it may be missing. */
export type Names = readonly [id: string, secret: string, token: string, expires: string];

/** Credentials from JSON; nothing where one is missing or the end is no instant. */
export function readCredentials(fields: Fields | undefined, names: Names): Provided | undefined {
  const [id, secret, token, expires] = names;
  const [accessKeyId, secretAccessKey] = [textOf(fields, id), textOf(fields, secret)];
  const sessionToken = textOf(fields, token.replace('?', ''));
  if (accessKeyId === '' || secretAccessKey === '') return undefined;
  if (sessionToken === '' && !token.endsWith('?')) return undefined;
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
