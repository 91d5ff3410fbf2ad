import { LIMITS as CLASSIC } from '../cloudwatch/limits.ts';
import type { Limits } from '../delivery/service.ts';

/**
 * What CloudWatch's OTLP endpoint accepts.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html
 */

export const MAX_POINTS = 1000;
/** Of a point, those of its resource and its scope among them. */
export const MAX_LABELS = 150;
/** It says 1 MB, before compression: a little less than 1 MiB, whichever way that is meant. */
export const MAX_BODY_BYTES = 1_000_000;

export const LIMITS: Limits = {
  maxDatums: MAX_POINTS,
  maxAgeMs: CLASSIC.maxAgeMs,
  // Retry-After is the receiver's word; longer than this nobody waits on it.
  maxHintMs: 300_000,
};
