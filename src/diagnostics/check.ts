// Over 200 lines: the steps are one way, and each needs what those before it found.

import { parseAnswer } from '../aws/answer.ts';
import type { Aws, Destination } from '../aws/aws.ts';
import type { ProviderContext } from '../aws/credentials/context.ts';
import { type Identity, masked } from '../aws/credentials/identity.ts';
import { whoIs } from '../aws/credentials/sts.ts';
import type { Clock } from '../clock.ts';
import { gzipFrom } from '../cloudwatch/compression.ts';
import { encodePage, type Form } from '../cloudwatch/form.ts';
import type { Post, Publishable } from '../delivery/service.ts';
import { unready, type Verdict } from '../delivery/verdict.ts';
import type { Environment } from '../environment.ts';
import { codeOf, reasonOf } from '../errors.ts';
import type { Dimension } from '../metrics/publication.ts';
import type { HttpAnswer } from '../net/http.ts';
import { ADVICE, type Advice } from './advice.ts';
import { checkPoint, type OtlpOutlet, onOtlpAnswer, probeOtlp } from './check-otlp.ts';
import { onError, onNoWay, onRefusal, onVerdict, probe } from './diagnosis.ts';

export interface CheckOptions {
  /** Nothing where no output needs it. */
  readonly aws?: Aws | undefined;
  /** PutMetricData is not asked where windows do not go there. */
  readonly isClassic?: boolean;
  readonly outlets?: readonly OtlpOutlet[];
  /** Sends one real point. */
  readonly publishTo?: ((outlet: OtlpOutlet) => Promise<Verdict>) | undefined;
  readonly environment: Environment;
  readonly clock: Clock;
  /** Sends one real datum; nothing where that was not asked for. */
  readonly publish?: (() => Promise<Verdict>) | undefined;
  readonly say: (finding: Finding) => void;
}

/** One line: what was looked at, what came of it, and what to do where it is not well. */
export interface Finding {
  /** `-` for what was not tried. */
  readonly mark: 'ok' | 'warn' | 'FAIL' | '-';
  readonly what: string;
  readonly text: string;
  readonly advice?: Advice | undefined;
}

/** Of one step, with all that it asks on its way. */
const STEP_MS = 95_000;
const PUBLISH_MS = 8000;
/** Services refuse what is five minutes off; said earlier, so that there is time. */
const CLOCK_WARN_MS = 60_000;

/** A finding as a line for people, with its advice on a second one, or as one of JSON. */
export function findingLines(
  { mark, what, text, advice }: Finding,
  format: 'text' | 'json',
): string {
  const [cause, remedy] = advice === undefined ? [] : ADVICE[advice];
  // What a server said may hold anything.
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  if (format === 'json') return JSON.stringify({ mark, what, text: line, cause, remedy });
  const first = `${mark.padEnd(4)} ${what.padEnd(11)} ${line}`;
  return cause === undefined ? first : `${first}\n${' '.repeat(17)}${cause}: ${remedy}`;
}

/** What `--check` looks at, and where it says what it found. */
export interface RunOptions {
  readonly aws: Aws | undefined;
  readonly outlets: readonly OtlpOutlet[];
  readonly environment: Environment;
  readonly clock: Clock;
  /** Nothing where windows do not go there. */
  readonly post: Post<Form> | undefined;
  /** Answers the dimensions that stand for what the place knows. */
  readonly resolve: (signal: AbortSignal) => Promise<readonly Dimension[]>;
  readonly isPublishing: boolean;
  readonly namespace: string;
  /** What would be measured, in a line. */
  readonly source: string;
  readonly format: 'text' | 'json';
  readonly write: (line: string) => void;
}

/** All of `--check`. @returns the exit code */
export async function runCheck(options: RunOptions): Promise<number> {
  const { clock, post, resolve, isPublishing, namespace, source, format, write } = options;
  const say = (finding: Finding): void => write(findingLines(finding, format));
  const publishing = async (
    send: (dimensions: readonly Dimension[]) => Promise<Verdict>,
  ): Promise<Verdict> => {
    try {
      return await send(await resolve(new AbortController().signal));
    } catch (error) {
      return unready(error);
    }
  };
  const publish = post && (() => publishing((all) => checkDatum(post, namespace, all, clock)));
  const publishTo = (outlet: OtlpOutlet): Promise<Verdict> =>
    publishing((all) => checkPoint(outlet, checkWindow(namespace, all, clock), PUBLISH_MS));
  const exit = await check({
    ...options,
    isClassic: post !== undefined,
    publish: isPublishing ? publish : undefined,
    publishTo: isPublishing ? publishTo : undefined,
    say,
  });
  say({ mark: 'ok', what: 'source', text: source });
  return exit;
}

/** Goes through what publishing needs. @returns the exit code: 0, 1 for a failure, 2 for a setting */
export async function check(options: CheckOptions): Promise<number> {
  const steps = new Check(options);
  await steps.run();
  return steps.exit;
}

class Check {
  exit = 0;
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { aws, outlets = [], publishTo } = this.#options;
    if (aws !== undefined) await this.#aws(aws);
    for (const outlet of outlets) {
      const isThere = await this.#otlp(outlet);
      const verdict = isThere ? await publishTo?.(outlet) : undefined;
      this.#publishing(verdict, publishTo !== undefined, outlet.name);
    }
  }

  async #aws(aws: Aws): Promise<void> {
    const { isClassic = true } = this.#options;
    const context = await this.#step('settings', async (signal) => {
      const found = await aws.context(signal);
      gzipFrom(found.profiles.setting);
      return found;
    });
    if (context === undefined) return;
    const region = await this.#step('region', async (signal) =>
      (await aws.context(signal)).region(),
    );
    if (region) this.#tell('ok', 'region', `${region.name}, by ${region.from}`);
    const identity = await this.#step(
      'credentials',
      (signal) => aws.credentials.resolve(signal),
      () => 'credentials',
    );
    if (identity) this.#credentials(aws, identity);
    const destination =
      isClassic && region && (await this.#step('endpoint', (signal) => aws.locate(signal)));
    const isThere = destination && (await this.#endpoint(context, destination));
    const { publish } = this.#options;
    const verdict = isThere && identity !== undefined ? await publish?.() : undefined;
    const isPublished = verdict?.kind === 'accepted';
    if (identity !== undefined) await this.#identity(aws, identity, isPublished);
    if (isClassic) this.#publishing(verdict, publish !== undefined);
  }

  #tell(mark: Finding['mark'], what: string, text: string, advice?: Advice): void {
    if (mark === 'FAIL') this.exit = Math.max(this.exit, advice === 'setting' ? 2 : 1);
    this.#options.say({ mark, what, text, advice });
  }

  /** What a step gives, or a line that says why it gives nothing. */
  async #step<T>(
    what: string,
    run: (signal: AbortSignal) => T | Promise<T>,
    judge: (signal: AbortSignal) => Advice | Promise<Advice> = () => 'setting',
    where = '',
  ): Promise<T | undefined> {
    const limit = new AbortController();
    const cancel = this.#options.clock.after(STEP_MS, () => limit.abort());
    try {
      return await run(limit.signal);
    } catch (error) {
      const { environment } = this.#options;
      const advice = onError(error, environment) ?? (await judge(limit.signal));
      this.#tell(advice === 'sts' ? 'warn' : 'FAIL', what, where + reasonOf(error), advice);
      return undefined;
    } finally {
      cancel();
    }
  }

  #credentials(aws: Aws, { provider, accessKeyId, expiresMs }: Identity): void {
    const key = `${provider}, key ${masked(accessKeyId)}`;
    const leftMs = (expiresMs ?? 0) - aws.skew.nowMs();
    const minutes = Math.round(Math.abs(leftMs) / 60_000);
    if (expiresMs === undefined) this.#tell('ok', 'credentials', `${key}, no end`);
    else if (leftMs > 0) this.#tell('ok', 'credentials', `${key}, ${minutes} minutes left`);
    else this.#tell('warn', 'credentials', `${key}, over for ${minutes} minutes`, 'expired');
  }

  /** Endpoint, TLS and clock, by one answer. @returns whether it is CloudWatch that answers */
  async #endpoint(context: ProviderContext, destination: Destination): Promise<boolean> {
    const { href } = destination.endpoint;
    const answer = await this.#step(
      'endpoint',
      (signal) => probe(destination, destination.endpoint, signal),
      (signal) => onNoWay(context, destination, signal),
      `${href}: `,
    );
    if (answer === undefined) return false;
    const isAws = /Response$/.test(parseAnswer(answer.body).root);
    const says = `${href} answers HTTP ${answer.status}`;
    if (isAws) this.#tell('ok', 'endpoint', says);
    else this.#tell('FAIL', 'endpoint', says, 'html');
    if (answer.tls) this.#tls(answer.tls);
    if (isAws) this.#clock(answer);
    return isAws;
  }

  /** An OTLP endpoint, by its answer to a request without data. @returns whether it takes OTLP */
  async #otlp(outlet: OtlpOutlet): Promise<boolean> {
    const { name, target: where } = outlet;
    const target = await this.#step(name, (signal) => where.locate(signal));
    if (target === undefined) return false;
    const { href } = target.endpoint;
    const answer = await this.#step(
      name,
      (signal) => probeOtlp(outlet, target, signal),
      () => 'wayOut',
      `${href}: `,
    );
    if (answer === undefined) return false;
    const advice = onOtlpAnswer(answer, target.credentials !== undefined);
    this.#tell(advice ? 'FAIL' : 'ok', name, `${href} answers HTTP ${answer.status}`, advice);
    if (answer.tls) this.#tls(answer.tls);
    if (target.credentials !== undefined && advice === undefined) this.#clock(answer);
    return advice === undefined;
  }

  #tls({ protocol, isVerified }: NonNullable<HttpAnswer['tls']>): void {
    if (isVerified) this.#tell('ok', 'tls', `${protocol}, and its certificate is trusted`);
    else
      this.#tell('warn', 'tls', `${protocol}, but its certificate is not verified`, 'unverified');
  }

  #clock({ headers }: HttpAnswer): void {
    const offMs = this.#options.clock.wallMs() - Date.parse(String(headers['date']));
    if (Number.isNaN(offMs)) return;
    const seconds = Math.round(Math.abs(offMs) / 1000);
    if (Math.abs(offMs) <= CLOCK_WARN_MS) this.#tell('ok', 'clock', `right to ${seconds} s`);
    else this.#tell('warn', 'clock', `${seconds} s ${offMs > 0 ? 'fast' : 'slow'}`, 'clock');
  }

  /** Publishing needs no STS, so that its silence is a warning; that it refuses the key is none. */
  async #identity(aws: Aws, identity: Identity, isPublished: boolean): Promise<void> {
    const { clock, environment } = this.#options;
    const limit = new AbortController();
    const cancel = clock.after(STEP_MS, () => limit.abort());
    try {
      const arn = await whoIs(await aws.context(limit.signal), identity);
      this.#tell('ok', 'identity', arn);
    } catch (error) {
      const refusal = onRefusal(codeOf(error) ?? '');
      const isKey = refusal !== undefined && refusal !== 'denied' && !isPublished;
      const isSetting = onError(error, environment) === 'setting' && !isPublished;
      const setting = isSetting ? 'setting' : undefined;
      const advice = setting ?? (isKey ? refusal : 'sts');
      this.#tell(advice === 'sts' ? 'warn' : 'FAIL', 'identity', reasonOf(error), advice);
    } finally {
      cancel();
    }
  }

  #publishing(verdict: Verdict | undefined, isAsked: boolean, to?: string): void {
    const by = to === undefined ? '' : ` by ${to}`;
    if (verdict === undefined) {
      const why = isAsked ? 'see above' : '--check-publish sends one datum';
      this.#tell('-', 'publishing', `not tried${by}: ${why}`);
      return;
    }
    const { kind, code, message, requestId } = verdict;
    if (kind === 'accepted') {
      const rejected = verdict.rejected ?? 0;
      const text = `AgentCheck${by}${requestId && `, request ${requestId}`}`;
      if (rejected === 0) this.#tell('ok', 'publishing', text);
      else this.#tell('FAIL', 'publishing', `${text}: rejected: ${message}`, 'publish');
    } else {
      // What is missing here names itself.
      const text = kind === 'unready' ? message : `${code}: ${message}`;
      this.#tell(
        'FAIL',
        'publishing',
        text,
        onVerdict(verdict, this.#options.environment) ?? 'publish',
      );
    }
  }
}

/** One real datum: the only way to know that PutMetricData is allowed. */
export function checkDatum(
  post: Post<Form>,
  namespace: string,
  dimensions: readonly Dimension[],
  clock: Clock,
): Promise<Verdict> {
  const page = encodePage([checkWindow(namespace, dimensions, clock)]);
  return post(page, PUBLISH_MS, new AbortController().signal);
}

function checkWindow(
  namespace: string,
  dimensions: readonly Dimension[],
  clock: Clock,
): Publishable {
  const publication = { namespace, dimensions, highResolution: false };
  const data = [{ name: 'AgentCheck', unit: 'Count', values: [1] }];
  const nowMs = clock.wallMs();
  return { startMs: nowMs, endMs: nowMs, data, publication };
}
