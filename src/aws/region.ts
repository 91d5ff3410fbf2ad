import type { Setting } from '../environment.ts';
import { AwsError, ConfigError, codeOf, NoDataError, shownText } from '../errors.ts';
import type { Imds } from '../metadata/imds.ts';
import { parseFields, textOf } from '../metadata/json.ts';
import type { HttpClient } from '../net/http.ts';
import { isRegion } from './endpoint.ts';

export interface Region {
  readonly name: string;
  /** The region's name asked for FIPS: `fips-us-east-1`. */
  readonly isFips: boolean;
  /** Where it comes from: `--region`, a variable, `the profile`. */
  readonly from: string;
}

export interface RegionContext {
  readonly setting: Setting;
  readonly http: HttpClient;
  readonly imds: Imds;
  readonly signal: AbortSignal;
}

const METADATA = 'ECS_CONTAINER_METADATA_URI';

/**
 * The region by flag, variables, profile, ECS, EC2.
 *
 * @throws ConfigError where one is given that is none; NoDataError where there is none at all
 */
export async function findRegion(
  flag: string | undefined,
  context: RegionContext,
): Promise<Region> {
  const { setting } = context;
  type Find = () => Promise<string | undefined> | string | undefined;
  const places: [from: string, find: Find, isAsked?: boolean][] = [
    ['--region', () => flag],
    ['AWS_REGION', () => setting('AWS_REGION')],
    ['AWS_DEFAULT_REGION', () => setting('AWS_DEFAULT_REGION')],
    ['the profile', () => setting('', 'region')],
    ['the ECS task', () => fromTask(context), true],
    ['instance metadata', () => fromInstance(context), true],
  ];
  for (const [from, find, isAsked = false] of places) {
    const text = await find();
    if (text === undefined) continue;
    if (isAsked && !isRegion(text)) {
      throw new AwsError('NoRegion', `${from} answered something else than a region`);
    }
    return checked(text, from);
  }
  throw new NoDataError(
    'no region: set --region, AWS_REGION or the profile’s region; neither ECS nor EC2 tell one',
  );
}

/** SDKs of old had names of regions that asked for FIPS, or for no region. */
function checked(text: string, from: string): Region {
  const lower = text.toLowerCase();
  const bare = lower.replace(/^fips-|-fips$/, '');
  const isGlobal = bare === 'aws-global' || (bare === 'aws' && bare !== lower);
  const name = isGlobal ? 'us-east-1' : bare;
  if (!isRegion(text) || !isRegion(name)) {
    throw new ConfigError(from, `got "${shownText(text)}", expected a region such as eu-west-1`);
  }
  return { name, isFips: bare !== lower, from };
}

/** ECS sets AWS_REGION itself, except its older agents. */
async function fromTask({ setting, http, signal }: RegionContext): Promise<string | undefined> {
  const uri = setting(`${METADATA}_V4`) ?? setting(METADATA);
  if (uri === undefined) return undefined;
  const { openTaskMetadata } = await import('../metadata/ecs.ts');
  try {
    const { arn } = await openTaskMetadata(uri, http).task(signal);
    return arn.split(':')[3] || undefined;
  } catch (error) {
    if (!(error instanceof NoDataError) && codeOf(error) === undefined) throw error;
    return undefined;
  }
}

async function fromInstance({ imds, signal }: RegionContext): Promise<string | undefined> {
  try {
    const region = await imds.get('/latest/meta-data/placement/region', signal);
    if (region !== undefined) return region;
    // What an old metadata service has instead. A zone's name cannot be cut down to its region.
    const document = await imds.get('/latest/dynamic/instance-identity/document', signal);
    return textOf(parseFields(document ?? ''), 'region') || undefined;
  } catch (error) {
    if (error instanceof NoDataError) return undefined;
    throw error;
  }
}
