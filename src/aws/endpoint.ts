import { nameOf, type Setting } from '../environment.ts';
import { ConfigError, shownUrl } from '../errors.ts';

/**
 * Partitions by region, the default last.
 *
 * @see https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
 */
const PARTITIONS: readonly (readonly [region: RegExp, suffix: string, dualStack: string])[] = [
  [/^cn-\w+-\d+$/, 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
  [/^eusc-de-\w+-\d+$/, 'amazonaws.eu', 'api.amazonwebservices.eu'],
  [/^us-iso-\w+-\d+$/, 'c2s.ic.gov', 'api.aws.ic.gov'],
  [/^us-isob-\w+-\d+$/, 'sc2s.sgov.gov', 'api.aws.scloud'],
  [/^eu-isoe-\w+-\d+$/, 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
  [/^us-isof-\w+-\d+$/, 'csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
  [/(?:)/, 'amazonaws.com', 'api.aws'],
];
const GOV = /^us-gov-\w+-\d+$/;

/** The services that are called: the host's first part, and the name that settings have for it. */
export const SERVICES = {
  monitoring: 'cloudwatch',
  sts: 'sts',
  'portal.sso': 'sso',
  s3: 's3',
} as const;
export type Service = keyof typeof SERVICES;

/** Which of a region's endpoints is meant. */
export interface Variant {
  readonly fips: boolean;
  readonly dualStack: boolean;
}

/** One label of a host name, not only digits: nothing else may become part of a URL. */
const REGION = /^(?!-)(?!\d+$)[A-Za-z0-9-]{1,63}(?<!-)$/;

/** A host of AWS itself, in any partition. */
export function isAwsHost(host: string): boolean {
  const names = PARTITIONS.flatMap(([, ...suffixes]) => suffixes);
  return names.some((name) => host.endsWith(`.${name}`));
}

export function isRegion(text: string): boolean {
  return REGION.test(text);
}

/**
 * Where a service answers in a region, e.g. `https://monitoring.eu-west-1.amazonaws.com/`. GovCloud's
 * plain hosts are FIPS's, except those of STS and SSO with dual stack.
 */
export function endpointOf(service: Service, region: string, variant: Variant): URL {
  const { fips, dualStack } = variant;
  if (service === 's3' && dualStack) {
    return new URL(`https://s3${fips ? '-fips' : ''}.dualstack.${region}.amazonaws.com/`);
  }
  const [, suffix, dual] = PARTITIONS.find(([regions]) => regions.test(region)) ?? [];
  const isPlain = !fips || (GOV.test(region) && (service === 'monitoring' || !dualStack));
  return new URL(
    `https://${service}${isPlain ? '' : '-fips'}.${region}.${dualStack ? dual : suffix}/`,
  );
}

/** What settings say about endpoints, beside the region. */
export interface EndpointSettings {
  readonly setting: Setting;
  /** Of the profile's `services` section. */
  readonly service: (id: string, key: string) => string | undefined;
  /** By `--endpoint-url`. */
  readonly flag?: URL | undefined;
}

/**
 * A service's endpoint by flag, variables, profile, and the region at last.
 *
 * @throws ConfigError where a setting is no good, or two of them cannot go together
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export function configuredEndpoint(
  service: Service,
  region: string,
  isFipsRegion: boolean,
  { setting, service: ofService, flag }: EndpointSettings,
): URL {
  const id = SERVICES[service];
  const ignore = isTrue(setting, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS');
  const own = `AWS_ENDPOINT_URL_${id.toUpperCase()}`;
  // A variable for all services goes before the profile's for this one.
  const places: readonly (readonly [name: string, text: string | undefined])[] = [
    [own, setting(own)],
    ['AWS_ENDPOINT_URL', setting('AWS_ENDPOINT_URL')],
    ['endpoint_url of the profile’s services', ofService(id, 'endpoint_url')],
    ['the profile’s endpoint_url', setting('', 'endpoint_url')],
  ];
  const [name = '', text] =
    (ignore ? undefined : places.find(([, one]) => one !== undefined)) ?? [];
  const custom = flag ?? (text === undefined ? undefined : parseEndpoint(text));
  if (custom === undefined && text !== undefined) {
    throw new ConfigError(name, `got "${shownUrl(text)}", expected ${ENDPOINT_EXPECTED}`);
  }
  const asksFips = isTrue(setting, 'AWS_USE_FIPS_ENDPOINT');
  const fips = asksFips || isFipsRegion;
  const dualStack = isTrue(setting, 'AWS_USE_DUALSTACK_ENDPOINT');
  if (custom === undefined) return endpointOf(service, region, { fips, dualStack });
  if (!fips && !dualStack) return custom;
  const fipsName = asksFips ? 'AWS_USE_FIPS_ENDPOINT' : 'the region’s fips-';
  throw new ConfigError(
    fips ? fipsName : 'AWS_USE_DUALSTACK_ENDPOINT',
    `cannot go together with the endpoint ${custom.href}`,
  );
}

/** A switch; its key in the profile is the variable's name without AWS_, in lower case. */
function isTrue(setting: Setting, variable: string): boolean {
  const key = variable.slice('AWS_'.length).toLowerCase();
  const text = setting(variable, key) ?? 'false';
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  throw new ConfigError(nameOf(setting, variable, key), `got "${text}", expected true or false`);
}

export const ENDPOINT_EXPECTED = 'http://HOST or https://HOST, without user, query or fragment';

/** A URL that is nothing but an endpoint; its path ends in a slash. */
export function parseEndpoint(text: string): URL | undefined {
  const url = parseUrl(text);
  if (url === undefined) return undefined;
  const web = url.protocol === 'http:' || url.protocol === 'https:';
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return web && bare ? url : undefined;
}

/** URL.canParse came with Node 18.17. */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
