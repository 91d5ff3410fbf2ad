import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { containerUrl } from '../../src/aws/credentials/container.ts';
import { type Base, planOf } from '../../src/aws/credentials/plan.ts';
import { parseIni, type Sections } from '../../src/aws/ini.ts';
import {
  fileLocations,
  type Home,
  loadProfiles,
  merged,
  type Profiles,
} from '../../src/aws/profiles.ts';
import type { Environment } from '../../src/environment.ts';
import { ConfigError, ParseError } from '../../src/errors.ts';
import { imdsSettings } from '../../src/metadata/imds.ts';
import { hasVectors, readVectors } from '../support/aws/vectors.ts';

/** Cases that do not apply, by set and name, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'SSO token profile selected':
    'a session without account and role gives a bearer token, which signs nothing: an error here',
  'explicit endpoint override': 'there is no option for the metadata endpoint beside the variable',
  'explicit mode override': 'there is no option for the metadata endpoint’s mode',
};

const skip = !hasVectors;
const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function homeOf(environment: Environment, platform = 'linux'): Home {
  return { environment, platform, homedir: () => join(folder, 'nobody') };
}

function profilesOf(config: string, environment: Environment): Promise<Profiles> {
  const file = join(folder, 'config');
  writeFileSync(file, config);
  return loadProfiles(homeOf({ ...environment, AWS_CONFIG_FILE: file }), undefined);
}

function reasonToSkip(name: string): { skip: string | false } {
  return { skip: LEFT_OUT[name] ?? false };
}

type Properties = Record<string, string>;

interface RoleCase {
  docs: string;
  input: {
    profiles: Record<string, Properties>;
    selected_profile: string;
    sso_sessions?: Record<string, Properties>;
  };
  output: { ProfileChain?: Record<string, unknown>[]; Error?: string };
}

function iniOf({ profiles, sso_sessions = {} }: RoleCase['input']): string {
  const sections = [
    ...Object.entries(profiles).map(([name, all]) => [`profile ${name}`, all] as const),
    ...Object.entries(sso_sessions).map(([name, all]) => [`sso-session ${name}`, all] as const),
  ];
  const lines = sections.flatMap(([title, all]) => [
    `[${title}]`,
    ...Object.entries(all).map(([key, value]) => `${key} = ${value}`),
  ]);
  return lines.join('\n');
}

/** A plan's base in the vectors' words. Account ids are no matter of CloudWatch, and are not read. */
function told(base: Base): Record<string, unknown> {
  if (base.kind === 'keys') {
    const { accessKeyId, secretAccessKey } = base.credentials;
    return { AccessKey: { access_key_id: accessKeyId, secret_access_key: secretAccessKey } };
  }
  if (base.kind === 'named') return { NamedSource: base.source };
  if (base.kind === 'web') {
    const { roleArn, sessionName } = base.role;
    const name = sessionName === undefined ? {} : { role_session_name: sessionName };
    const web = { role_arn: roleArn, web_identity_token_file: base.tokenFile, ...name };
    return { WebIdentityToken: web };
  }
  assert.equal(base.kind, 'sso');
  if (base.kind !== 'sso') return {};
  const { account, region, role, tokenOf } = base;
  const keys = { sso_account_id: account, sso_region: region, sso_role_name: role };
  return { Sso: { ...keys, sso_start_url: tokenOf } };
}

describe('assume-role-tests', { skip }, () => {
  const cases = skip ? [] : readVectors<RoleCase[]>('assume-role-tests.json');
  for (const { docs, input, output } of cases) {
    test(docs, reasonToSkip(docs), async () => {
      const profiles = await profilesOf(iniOf(input), { AWS_PROFILE: input.selected_profile });
      if (output.ProfileChain === undefined) {
        // A profile of settings alone is no error by itself: the walk goes on.
        if (docs === 'profile only contains configuration') {
          assert.equal(planOf(profiles), undefined);
        } else assert.throws(() => planOf(profiles), ConfigError);
        return;
      }
      const plan = planOf(profiles);
      assert.ok(plan);
      const roles = plan.roles.map(({ roleArn, externalId, sessionName }) => ({
        AssumeRole: {
          role_arn: roleArn,
          ...(externalId === undefined ? {} : { external_id: externalId }),
          ...(sessionName === undefined ? {} : { role_session_name: sessionName }),
        },
      }));
      const expected = output.ProfileChain.map((step) => {
        const text = JSON.stringify(step, (key, value) =>
          key === 'account_id' ? undefined : value,
        );
        return JSON.parse(text);
      });
      assert.deepEqual([told(plan.base), ...roles], expected);
    });
  }
  test('are 28', () => assert.equal(cases.length, 28));
});

interface Result {
  Ok?: string;
  Err?: string;
  ErrorContains?: string;
}

describe('ecs-tests', { skip }, () => {
  interface EcsCase {
    docs: string;
    env: Record<string, string>;
    result: Result;
  }
  const { tests } = skip ? { tests: [] } : readVectors<{ tests: EcsCase[] }>('ecs-tests.json');
  for (const { docs, env, result } of tests) {
    test(docs, () => {
      if (result.Ok !== undefined) assert.equal(containerUrl(env)?.href, result.Ok);
      else if (Object.keys(env).length === 0) assert.equal(containerUrl(env), undefined);
      else assert.throws(() => containerUrl(env), ConfigError);
    });
  }
  test('are 11', () => assert.equal(tests.length, 11));
});

describe('imds-endpoint-tests', { skip }, () => {
  interface ImdsCase {
    docs: string;
    env: Record<string, string>;
    fs: Record<string, string>;
    result: Result;
  }
  const { tests } = skip
    ? { tests: [] }
    : readVectors<{ tests: ImdsCase[] }>('imds-config', 'imds-endpoint-tests.json');
  for (const { docs, env, fs, result } of tests) {
    test(docs, reasonToSkip(docs), async () => {
      const { setting } = await profilesOf(fs['config'] ?? '', env);
      if (result.Ok === undefined) assert.throws(() => imdsSettings(setting), ConfigError);
      else assert.equal(`${imdsSettings(setting).endpoint}/latest/api/token`, result.Ok);
    });
  }
  test('are 14', () => assert.equal(tests.length, 14));
});

describe('profile-parser-tests', { skip }, () => {
  interface ParserCase {
    name: string;
    input: { configFile?: string; credentialsFile?: string };
    output: {
      config?: {
        profiles: Record<string, Properties>;
        sso_sessions?: Record<string, Properties>;
      };
      errorContaining?: string;
    };
  }
  const ofKind = (sections: Sections, kind: string): Record<string, Properties> =>
    Object.fromEntries(
      [...sections]
        .filter(([name]) => name.startsWith(`${kind} `))
        .map(([name, all]) => [name.slice(kind.length + 1), Object.fromEntries(all)]),
    );
  const { tests } = skip
    ? { tests: [] }
    : readVectors<{ tests: ParserCase[] }>('profile-parser-tests.json');
  for (const { name, input, output } of tests) {
    test(name, () => {
      const parse = (): Sections =>
        merged(
          parseIni(input.configFile ?? '', 'config', true),
          parseIni(input.credentialsFile ?? '', 'credentials', false),
        );
      if (output.config === undefined) {
        assert.throws(parse, ParseError);
        return;
      }
      const { profiles, sso_sessions = {} } = output.config;
      assert.deepEqual(ofKind(parse(), 'profile'), profiles);
      assert.deepEqual(ofKind(parse(), 'sso-session'), sso_sessions);
    });
  }
  test('are 65', () => assert.equal(tests.length, 65));
});

describe('file-location-tests', { skip }, () => {
  interface LocationCase {
    name: string;
    environment: Record<string, string>;
    platform: string;
    profile?: string;
    configLocation: string;
    credentialsLocation: string;
  }
  const { tests } = skip
    ? { tests: [] }
    : readVectors<{ tests: LocationCase[] }>('file-location-tests.json');
  for (const { name, environment, platform, profile, ...expected } of tests) {
    test(name, async () => {
      const home = homeOf(environment, platform === 'windows' ? 'win32' : platform);
      const { config, credentials } = fileLocations(home);
      assert.equal(config, expected.configLocation);
      assert.equal(credentials, expected.credentialsLocation);
      const empty = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
      const { name: meant } = await loadProfiles(homeOf({ ...environment, ...empty }), undefined);
      if (profile !== undefined) assert.equal(meant, profile);
    });
  }
  test('are 9', () => assert.equal(tests.length, 9));
});
