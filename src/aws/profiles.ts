import { posix, win32 } from 'node:path';
import { type Environment, given, type Setting } from '../environment.ts';
import { unlessRefused } from '../errors.ts';
import { FileError, readText } from './files.ts';
import { nested, parseIni, type Section, type Sections } from './ini.ts';

/** Where files are looked for. */
export interface Home {
  readonly environment: Environment;
  /** `win32` decides on the separator alone. */
  readonly platform: string;
  /** The system's own idea of it, where the environment has none. */
  readonly homedir: () => string;
}

/** The two shared files as one, and which of their profiles is meant. */
export interface Profiles {
  readonly name: string;
  /** The flag or the variable that names it, so that it must be there; nothing for the default. */
  readonly namedBy: string | undefined;
  /** Where it was looked for. */
  readonly files: readonly string[];
  /** The file that a property of a profile is from. */
  fileOf(profile: string, key: string): string;
  /** Below `.aws`, with the system's separator. */
  path(...parts: string[]): string;
  section(kind: 'profile' | 'sso-session' | 'services', name: string): Section | undefined;
  /** None at all was found. */
  readonly isEmpty: boolean;
  readonly setting: Setting;
  /** Of the profile's `services` section: `nested` for one service's block. */
  service(id: string, key: string): string | undefined;
  /** What is wrong but not so wrong as to stop. */
  readonly warnings: readonly string[];
}

/** @see https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html */
export function fileLocations(home: Home): Readonly<Record<'config' | 'credentials', string>> {
  const { environment } = home;
  const at = (variable: string, name: string): string => {
    const override = given(environment, variable);
    if (override === undefined) return awsPath(home, name);
    return override.replace(/^~(?=[/\\]|$)/, () => homeOf(home));
  };
  return {
    config: at('AWS_CONFIG_FILE', 'config'),
    credentials: at('AWS_SHARED_CREDENTIALS_FILE', 'credentials'),
  };
}

/** Below it there is nothing. */
const NOWHERE = '/dev/null';

/** The variables of Windows mean nothing elsewhere: WSL and Git hand them on. */
function homeOf({ environment, homedir, platform }: Home): string {
  const { HOMEDRIVE, HOMEPATH } = environment;
  const split = HOMEDRIVE && HOMEPATH ? HOMEDRIVE + HOMEPATH : undefined;
  const windows = platform === 'win32' ? (given(environment, 'USERPROFILE') ?? split) : undefined;
  return given(environment, 'HOME') ?? windows ?? systemHome(homedir);
}

/** A user id without an entry in the passwd file has none, and no files of settings by that. */
function systemHome(homedir: Home['homedir']): string {
  return unlessRefused(() => homedir(), NOWHERE);
}

function awsPath(home: Home, ...parts: string[]): string {
  return (home.platform === 'win32' ? win32 : posix).join(homeOf(home), '.aws', ...parts);
}

/**
 * Reads both files anew: what was rotated on disk is seen without a restart.
 *
 * @param flag the profile's name by `--profile`
 * @throws FileError where one cannot be read though a profile was named; ParseError where one is broken
 */
export async function loadProfiles(home: Home, flag: string | undefined): Promise<Profiles> {
  const { environment } = home;
  const variables = ['AWS_PROFILE', 'AWS_DEFAULT_PROFILE'];
  const variable = variables.find((one) => given(environment, one) !== undefined);
  const namedBy = flag === undefined ? variable : '--profile';
  const name = flag ?? given(environment, variable ?? '') ?? 'default';
  const warnings: string[] = [];
  const { config, credentials } = fileLocations(home);
  // What is no file is passed over, as by the SDKs: Docker makes a folder of a file that it cannot mount.
  const read = async (path: string, isConfig: boolean): Promise<Sections> => {
    const by = isConfig ? 'AWS_CONFIG_FILE' : 'AWS_SHARED_CREDENTIALS_FILE';
    const setting = given(environment, by) === undefined ? path : by;
    try {
      return parseIni((await readText(path, setting)) ?? '', path, isConfig);
    } catch (error) {
      if (namedBy !== undefined || !(error instanceof FileError)) throw error;
      warnings.push(error.message);
      return new Map();
    }
  };
  const [inConfig, inCredentials] = [await read(config, true), await read(credentials, false)];
  const sections = merged(inConfig, inCredentials);
  const profile = sections.get(`profile ${name}`);
  const services = sections.get(`services ${profile?.get('services')}`);
  return {
    name,
    namedBy,
    files: [config, credentials],
    fileOf: (of, key) =>
      inCredentials.get(`profile ${of}`)?.has(key) === true ? credentials : config,
    isEmpty: sections.size === 0,
    path: (...parts) => awsPath(home, ...parts),
    section: (kind, of) => sections.get(`${kind} ${of}`),
    setting: (variable, key = '') =>
      given(environment, variable) ?? (profile?.get(key) || undefined),
    service: (id, key) => nested(services?.get(id), key) || undefined,
    warnings,
  };
}

/** Property by property; the credentials file wins. */
export function merged(config: Sections, credentials: Sections): Sections {
  const all = new Map(config);
  for (const [name, section] of credentials) {
    all.set(name, new Map([...(config.get(name) ?? []), ...section]));
  }
  return all;
}
