import { nameOf, type Setting } from '../environment.ts';
import { ConfigError } from '../errors.ts';

const SIZE = [
  'AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES',
  'request_min_compression_size_bytes',
] as const;
const DISABLE = ['AWS_DISABLE_REQUEST_COMPRESSION', 'disable_request_compression'] as const;
const DEFAULT_BYTES = 10_240;
const MOST_BYTES = 10_485_760;

/**
 * From how many bytes on a body is compressed, by the SDKs' own settings; Infinity for never.
 *
 * @throws ConfigError where a variable holds what no SDK takes
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-compression.html
 */
export function gzipFrom(setting: Setting): number {
  const size = setting(...SIZE) ?? String(DEFAULT_BYTES);
  if (!/^\d{1,8}$/.test(size) || Number(size) > MOST_BYTES) {
    throw new ConfigError(
      nameOf(setting, ...SIZE),
      `got "${size}", expected bytes from 0 to ${MOST_BYTES}`,
    );
  }
  const disable = (setting(...DISABLE) ?? 'false').toLowerCase();
  if (disable !== 'true' && disable !== 'false') {
    throw new ConfigError(nameOf(setting, ...DISABLE), `got "${disable}", expected true or false`);
  }
  return disable === 'true' ? Number.POSITIVE_INFINITY : Number(size);
}
