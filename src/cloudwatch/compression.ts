import { ConfigError } from '../errors.ts';
import type { Environment } from '../flags.ts';

const SIZE = 'AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES';
const DISABLE = 'AWS_DISABLE_REQUEST_COMPRESSION';
const DEFAULT_BYTES = 10_240;
const MOST_BYTES = 10_485_760;

/**
 * From how many bytes on a body is compressed, by the SDKs' own variables; Infinity for never.
 *
 * @throws ConfigError where a variable holds what no SDK takes
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html
 */
export function gzipFrom(environment: Environment): number {
  const size = environment[SIZE]?.trim() || String(DEFAULT_BYTES);
  if (!/^\d{1,8}$/.test(size) || Number(size) > MOST_BYTES) {
    throw new ConfigError(SIZE, `got "${size}", expected bytes from 0 to ${MOST_BYTES}`);
  }
  const disable = environment[DISABLE]?.trim().toLowerCase() || 'false';
  if (disable !== 'true' && disable !== 'false') {
    throw new ConfigError(DISABLE, `got "${disable}", expected true or false`);
  }
  return disable === 'true' ? Number.POSITIVE_INFINITY : Number(size);
}
