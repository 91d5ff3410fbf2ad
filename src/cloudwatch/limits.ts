import type { Limits } from '../delivery/service.ts';

/**
 * What CloudWatch accepts.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
 */

export const MAX_DATUMS = 1000;
export const MAX_VALUES = 150;
export const MAX_DIMENSIONS = 30;
/** The service says 1 MB. It is a little less than 1 MiB whichever way that is meant. */
export const MAX_BODY_BYTES = 1_000_000;

export const LIMITS: Limits = {
  maxDatums: MAX_DATUMS,
  // It takes what is up to two weeks old; two hours are left for the way there.
  maxAgeMs: (13 * 24 + 22) * 3_600_000,
  // As the SDKs do.
  maxHintMs: 5000,
};

const MAX_NAMESPACE = 255;
const MAX_DIMENSION_NAME = 255;
const MAX_DIMENSION_VALUE = 1024;

/** ASCII without control characters, and not only blanks. */
const PRINTABLE = /^(?=.*[^ ])[ -~]+$/;

/** Prefixes: `:` is refused by the service, `AWS/` is reserved for its own metrics. */
export function isNamespace(text: string): boolean {
  return isPrintable(text, MAX_NAMESPACE) && !text.startsWith(':') && !text.startsWith('AWS/');
}

export function isDimensionName(text: string): boolean {
  return isPrintable(text, MAX_DIMENSION_NAME) && !text.startsWith(':');
}

export function isDimensionValue(text: string): boolean {
  return isPrintable(text, MAX_DIMENSION_VALUE);
}

export function isMetricName(text: string): boolean {
  return isDimensionName(text);
}

function isPrintable(text: string, longest: number): boolean {
  return text.length <= longest && PRINTABLE.test(text);
}
