import type { Setting } from '../environment.ts';
import { ConfigError, codeOf, NoDataError, NoRegionError, reasonOf, shownText } from '../errors.ts';
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

/** What is asked for the region. */
export interface RegionContext {
  readonly profiles: { readonly setting: Setting };
  readonly http: HttpClient;
  readonly imds: Imds;
  readonly asks: (whom: string) => void;
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
  const { setting } = context.profiles;
  const given: [from: string, text: string | undefined][] = [
    ['--region', flag],
    ['AWS_REGION', setting('AWS_REGION')],
    ['AWS_DEFAULT_REGION', setting('AWS_DEFAULT_REGION')],
    ['the profile', setting('', 'region')],
  ];
  for (const [from, text] of given) if (text !== undefined) return checked(text, from);
  const reasons: string[] = [];
  let cause: unknown;
  const places = [
    ['the ECS task', fromTask],
    ['instance metadata', fromInstance],
  ] as const;
  for (const [from, find] of places) {
    context.asks(`the region, of ${from}`);
    try {
      const text = await find(context);
      if (text !== undefined && isRegion(text)) return checked(text, from);
      if (text !== undefined) reasons.push(`${from} answered something else than a region`);
    } catch (error) {
      // It was only tried: what is wrong there is no more than a hint.
      if (!isFailure(error)) throw error;
      cause = error;
      reasons.push(reasonOf(error));
    }
  }
  const why = reasons.length === 0 ? 'neither ECS nor EC2 tell one' : reasons.join('; ');
  const remedy = 'set --region, AWS_REGION or the profile’s region';
  throw new NoRegionError(`no region: ${remedy} (${why})`, { cause });
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
async function fromTask({ profiles, http, signal }: RegionContext): Promise<string | undefined> {
  const uri = profiles.setting(`${METADATA}_V4`) ?? profiles.setting(METADATA);
  if (uri === undefined) return undefined;
  const { openTaskMetadata } = await import('../metadata/ecs.ts');
  const { arn } = await openTaskMetadata(uri, http).task(signal);
  return arn.split(':')[3] || undefined;
}

async function fromInstance({ imds, signal }: RegionContext): Promise<string | undefined> {
  const region = await imds.get('/latest/meta-data/placement/region', signal);
  if (region !== undefined) return region;
  // What an old metadata service has instead. A zone's name cannot be cut down to its region.
  const document = await imds.get('/latest/dynamic/instance-identity/document', signal);
  return textOf(parseFields(document ?? ''), 'region') || undefined;
}

/** A place that has no answer, answers wrongly, or not at all; a wrong setting is none of these. */
function isFailure(error: unknown): boolean {
  return error instanceof NoDataError || codeOf(error) !== undefined;
}
