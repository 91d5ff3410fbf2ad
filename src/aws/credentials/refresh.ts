import type { Clock } from '../../clock.ts';
import { AwsError, ConfigError, ParseError } from '../../errors.ts';
import { abortable } from '../call.ts';
import type { CredentialSource, Identity } from './identity.ts';

export interface RefreshOptions {
  readonly clock: Clock;
  /** Wall-clock milliseconds by the services' clock. */
  readonly nowMs: () => number;
  /** Uniform, 0 up to but without 1. */
  readonly random: () => number;
  /** Goes along the providers. */
  readonly load: (signal: AbortSignal) => Promise<Identity>;
  /** What is being asked, for whoever cannot wait for it. */
  readonly asking?: () => string;
  /** Old credentials are used, since new ones cannot be had for a reason; then that they can again. */
  readonly onFallBack?: (error: unknown) => void;
  readonly onRecovery?: () => void;
  /** How long before their end credentials are renewed; by their lifetime where it is not given. */
  readonly advisoryMs?: number;
}

const MINUTE = 60_000;
/** Everybody waits for new credentials in the last minute of the old ones. */
const MANDATORY_MS = MINUTE;
/** By lifetime: up to 20 minutes, less than 90, longer. */
const ADVISORY: readonly (readonly [upToMs: number, windowMs: number])[] = [
  [20 * MINUTE, 5 * MINUTE],
  [90 * MINUTE - 1, 15 * MINUTE],
  [Number.POSITIVE_INFINITY, 60 * MINUTE],
];
/** Credentials without an end are read anew: somebody may have rotated them on disk. */
const REREAD_MS = 15 * MINUTE;
/** After a failed refresh, while the old ones are served. */
const BACKOFF_MS = [5 * MINUTE, 10 * MINUTE] as const;
/** How long a failure that only a person can mend is remembered. */
const FINAL_MS = [1000, 5000] as const;
/** Of one search with all its hops: longer than the process that may be the first of them. */
const LOAD_MS = 90_000;

/** Keeps credentials, by the rule that the AWS SDKs share since 2026. */
export function createRefresh(options: RefreshOptions): CredentialSource {
  const { clock, nowMs, random, load } = options;
  let cached: Identity | undefined;
  let [dueMs, mustMs] = [0, 0];
  /** Monotonic: until then the source is left alone. */
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let remembered: { error: unknown; untilMs: number } | undefined;
  let running: Promise<Identity> | undefined;
  let hasFallenBack = false;
  /** Why the last search found nothing, for whoever cannot wait for the end of the next one. */
  let failed: unknown;

  const between = ([least, most]: readonly [number, number]): number =>
    clock.monoMs() + least + random() * (most - least);

  function keep(fresh: Identity): Identity {
    const { expiresMs, isLasting } = fresh;
    cached = fresh;
    quietUntilMs = Number.NEGATIVE_INFINITY;
    mustMs = expiresMs === undefined ? Number.POSITIVE_INFINITY : expiresMs - MANDATORY_MS;
    dueMs = isLasting === true ? mustMs : nowMs() + REREAD_MS;
    if (expiresMs === undefined) return fresh;
    const lifeMs = expiresMs - nowMs();
    const [, windowMs = 0] = ADVISORY.find(([upToMs]) => lifeMs <= upToMs) ?? [];
    dueMs = expiresMs - (options.advisoryMs ?? windowMs);
    return fresh;
  }

  const isOver = ({ expiresMs = Number.POSITIVE_INFINITY }: Identity): boolean =>
    expiresMs <= nowMs();

  /** The old ones, for a while. */
  function fallBack(old: Identity, why: unknown): Identity {
    quietUntilMs = between(BACKOFF_MS);
    if (!hasFallenBack) options.onFallBack?.(why);
    hasFallenBack = true;
    return old;
  }

  async function refresh(): Promise<Identity> {
    const limit = new AbortController();
    const cancel = clock.after(LOAD_MS, () => limit.abort());
    try {
      const fresh = await load(limit.signal);
      if (!(fresh.isManaged && isOver(fresh))) {
        if (hasFallenBack) options.onRecovery?.();
        hasFallenBack = false;
        failed = undefined;
        return keep(fresh);
      }
      // The source itself cannot renew them: what it has is used until it can.
      const why = new AwsError('Expired', 'what is handed out has expired already');
      return fallBack(cached?.isManaged === true ? cached : keep(fresh), why);
    } catch (error) {
      failed = error;
      if (isFinal(error)) {
        remembered = { error, untilMs: between(FINAL_MS) };
        throw error;
      }
      if (cached === undefined || (!cached.isManaged && isOver(cached))) throw error;
      return fallBack(cached, error);
    } finally {
      cancel();
      running = undefined;
    }
  }

  return {
    async resolve(signal) {
      const [now, monoMs] = [nowMs(), clock.monoMs()];
      if (remembered !== undefined && monoMs < remembered.untilMs) throw remembered.error;
      remembered = undefined;
      const isMust = now >= mustMs;
      const old = cached;
      if (old !== undefined) {
        const isUsable = old.isManaged || !isOver(old);
        const mayWait = !isMust && (now < dueMs || running !== undefined);
        if (mayWait || (isUsable && monoMs < quietUntilMs)) return old;
      }
      running ??= refresh();
      try {
        return await abortable(running, signal, isMust ? undefined : old, options.asking);
      } catch (error) {
        throw signal.aborted ? (failed ?? error) : error;
      }
    },
    invalidate(accessKeyId) {
      if (cached?.accessKeyId === accessKeyId) mustMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Broken settings, and what a service says that only a person can mend. */
function isFinal(error: unknown): boolean {
  if (error instanceof AwsError) return error.final;
  return error instanceof ConfigError || error instanceof ParseError;
}
