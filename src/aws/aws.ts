// Over 200 lines: what every AWS call needs is found out in one order, and that in one place.
import type { Clock } from '../clock.ts';
import { nameOf, type Setting } from '../environment.ts';
import { ConfigError, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Imds } from '../metadata/imds.ts';
import { createHttpClient, type HttpClient, type HttpOptions } from '../net/http.ts';
import type { NameOptions } from '../net/lookup.ts';
import { routeBy } from '../net/route.ts';
import type { Transport } from './call.ts';
import { resolveChain } from './credentials/chain.ts';
import type { ProviderContext } from './credentials/context.ts';
import type { CredentialSource, Identity, Origin } from './credentials/identity.ts';
import { createRefresh } from './credentials/refresh.ts';
import { configuredEndpoint } from './endpoint.ts';
import { fileLocations, type Home, loadProfiles, type Profiles } from './profiles.ts';
import { keepSecret } from './redact.ts';
import { findRegion, type Region } from './region.ts';
import { createSkew, type Skew } from './skew.ts';
import { authorities } from './trust.ts';

export interface AwsOptions {
  readonly home: Home;
  /** What the command line says. */
  readonly flags: {
    readonly profile: string | undefined;
    readonly region: string | undefined;
    readonly endpoint: URL | undefined;
    readonly caBundle: string | undefined;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly ending?: AbortSignal;
  readonly threads?: { held: number };
  readonly isIdle?: NameOptions['isIdle'];
  /** How a client is made. A parameter, so that tests can lead link-local addresses elsewhere. */
  readonly connect?: (options: HttpOptions) => HttpClient;
}

/** Where CloudWatch is, and over which line. */
export interface Destination extends Transport {
  readonly region: Region;
  readonly endpoint: URL;
  readonly credentials: CredentialSource;
  readonly setting: Setting;
}

/** All that a call to AWS needs, found out when the first one is made, and as late as that. */
export interface Aws {
  /** Finds what is not yet found. @throws as {@link findRegion}, {@link configuredEndpoint} do */
  locate(signal: AbortSignal): Promise<Destination>;
  /** What providers work with, now. @throws ConfigError, ParseError for broken files */
  context(signal: AbortSignal): Promise<ProviderContext>;
  /** What is being asked just now, in words, for whoever cannot wait for it. */
  readonly asking: () => string;
  readonly credentials: CredentialSource;
  readonly skew: Skew;
  close(): void;
}

const DEFAULT_ATTEMPTS = '3';

export function createAws(options: AwsOptions): Aws {
  const { home, flags, clock, log, random, connect = createHttpClient } = options;
  const { environment } = home;
  const skew = createSkew(clock);
  const route = routeBy(environment);
  const startMs = clock.wallMs();
  const warned = new Set<string>();
  let http: HttpClient | undefined;
  let imds: { key: string; service: Imds } | undefined;
  let region: Region | undefined;
  let destination: Destination | undefined;
  let origin: Origin | undefined;

  let asked = '';
  let triedSoFar = '';
  const asking = (): string => asked + triedSoFar;
  const asks = (whom: string): void => {
    asked = whom;
    triedSoFar = '';
  };

  async function readProfiles(): Promise<Profiles> {
    asks(`the settings, in ${Object.values(fileLocations(home)).join(' and ')}`);
    const profiles = await loadProfiles(home, flags.profile);
    if (profiles.warnings.length > 0) {
      warn('settings are read without what cannot be read', profiles.warnings.join('; '));
    }
    return profiles;
  }

  function warn(what: string, reason: string): void {
    if (!warned.has(reason)) log.warn(what, { reason });
    warned.add(reason);
  }

  /** One for the process: it keeps connections and the trusted roots. */
  async function client(setting: Setting): Promise<HttpClient> {
    if (http !== undefined) return http;
    const bundle = flags.caBundle ?? setting('AWS_CA_BUNDLE', 'ca_bundle');
    const name =
      flags.caBundle === undefined ? nameOf(setting, 'AWS_CA_BUNDLE', 'ca_bundle') : '--ca-bundle';
    if (bundle !== undefined) asks(`the authorities, in ${bundle} (${name})`);
    const ca = bundle === undefined ? undefined : await authorities(bundle, name);
    const { ending, threads, isIdle } = options;
    const names = { environment, ending, threads, isIdle };
    const trust = ca === undefined ? {} : { ca, caName: `${bundle} (${name})` };
    http ??= connect({ route, ...names, ...trust });
    return http;
  }

  /** Kept with its token as long as the settings stay as they are. */
  async function metadata(setting: Setting, over: HttpClient): Promise<Imds> {
    const { createImds, imdsSettings } = await import('../metadata/imds.ts');
    const settings = imdsSettings(setting);
    const key = JSON.stringify(settings);
    if (imds?.key !== key) imds = { key, service: createImds(settings, over, clock, keepSecret) };
    return imds.service;
  }

  async function context(signal: AbortSignal): Promise<ProviderContext> {
    const profiles = await readProfiles();
    const { setting } = profiles;
    const over = await client(setting);
    // Asked for, and its settings judged, only where nothing before it has what is looked for.
    const service: Imds = {
      get: async (path, one) => (await metadata(setting, over)).get(path, one),
    };
    const made: ProviderContext = {
      environment,
      home,
      profiles,
      profileFlag: flags.profile,
      http: over,
      clock,
      skew,
      imds: service,
      endpoints: { setting, service: profiles.service },
      startMs,
      asks,
      tried: (error) => {
        triedSoFar = ` (so far: ${reasonOf(error)})`;
      },
      warn: (reason) => warn('a setting is left out', reason),
      tries: attempts(setting),
      signal,
      region: async () => {
        region ??= await findRegion(flags.region, made);
        return region;
      },
    };
    return made;
  }

  const load = async (signal: AbortSignal): Promise<Identity> => {
    const identity = await resolveChain(await context(signal), origin);
    origin = identity.origin;
    return identity;
  };
  const credentials = createRefresh({
    clock,
    nowMs: skew.nowMs,
    random,
    load,
    asking,
    onFallBack: (error) => {
      const reason = reasonOf(error);
      log.warn('credentials cannot be renewed, the old ones are used', { reason });
    },
    onRecovery: () => log.warn('credentials are renewed again'),
  });

  return {
    skew,
    credentials,
    context,
    asking,
    async locate(signal) {
      if (destination !== undefined) return destination;
      const { http: over, endpoints, region: find, profiles } = await context(signal);
      const found = await find();
      const by = { ...endpoints, flag: flags.endpoint };
      const endpoint = configuredEndpoint('monitoring', found.name, found.isFips, by);
      const { setting } = profiles;
      const here = { region: found, endpoint, credentials, setting, http: over, clock, skew };
      destination = here;
      return here;
    },
    close: () => http?.close(),
  };
}

function attempts(setting: Setting): number {
  const mode = setting('AWS_RETRY_MODE', 'retry_mode') ?? 'standard';
  if (!/^(?:standard|adaptive|legacy)$/i.test(mode)) {
    throw new ConfigError(
      nameOf(setting, 'AWS_RETRY_MODE', 'retry_mode'),
      `got "${mode}", expected standard`,
    );
  }
  const text = setting('AWS_MAX_ATTEMPTS', 'max_attempts') ?? DEFAULT_ATTEMPTS;
  if (/^0*[1-9]\d*$/.test(text)) return Number(text);
  const name = nameOf(setting, 'AWS_MAX_ATTEMPTS', 'max_attempts');
  throw new ConfigError(name, `got "${text}", expected a number from 1 on`);
}
