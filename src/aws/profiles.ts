import { posix, win32 } from 'node:path';
import { type Environment, given, type Setting } from '../environment.ts';
import { ConfigError, codeOf } from '../errors.ts';
import { readText } from './files.ts';
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
  /** Named by a flag or a variable, so that it must be there. */
  readonly isExplicit: boolean;
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

function homeOf({ environment, homedir }: Home): string {
  const { HOMEDRIVE, HOMEPATH } = environment;
  const split = HOMEDRIVE && HOMEPATH ? HOMEDRIVE + HOMEPATH : undefined;
  const known = given(environment, 'HOME') ?? given(environment, 'USERPROFILE') ?? split;
  return known ?? systemHome(homedir);
}

/** A user id without an entry in the passwd file has none, and no files of settings by that. */
function systemHome(homedir: Home['homedir']): string {
  try {
    return homedir();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return NOWHERE;
  }
}

function awsPath(home: Home, ...parts: string[]): string {
  return (home.platform === 'win32' ? win32 : posix).join(homeOf(home), '.aws', ...parts);
}

/**
 * Reads both files anew: what was rotated on disk is seen without a restart.
 *
 * @param flag the profile's name by `--profile`
 * @throws ConfigError, ParseError where a file is broken, or cannot be read though a profile was named
 */
export function loadProfiles(home: Home, flag: string | undefined): Profiles {
  const { environment } = home;
  const named =
    flag ?? given(environment, 'AWS_PROFILE') ?? given(environment, 'AWS_DEFAULT_PROFILE');
  const name = named ?? 'default';
  const warnings: string[] = [];
  const { config, credentials } = fileLocations(home);
  const read = (path: string, isConfig: boolean): Sections => {
    try {
      return parseIni(readText(path) ?? '', path, isConfig);
    } catch (error) {
      if (named !== undefined || !(error instanceof ConfigError)) throw error;
      if (codeOf(error.cause) !== 'EACCES') throw error;
      warnings.push(error.message);
      return new Map();
    }
  };
  const sections = merged(read(config, true), read(credentials, false));
  const profile = sections.get(`profile ${name}`);
  const services = sections.get(`services ${profile?.get('services')}`);
  return {
    name,
    isExplicit: named !== undefined,
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
