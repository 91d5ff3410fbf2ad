import { type Provided, parseInstant } from './identity.ts';

export type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A JSON object's members; nothing where the text is none. It takes any text. */
export function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** An object inside an object. */
export function within(fields: Fields | undefined, name: string): Fields | undefined {
  const value = fields?.[name];
  return isFields(value) ? value : undefined;
}

/** A member's text; empty where there is none. */
export function textOf(fields: Fields | undefined, name: string): string {
  const value = fields?.[name];
  return typeof value === 'string' ? value : '';
}

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
