import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach } from 'node:test';
import { type Aws, type AwsOptions, createAws } from '../../../src/aws/aws.ts';
import type { Identity } from '../../../src/aws/credentials/identity.ts';
import type { Clock } from '../../../src/clock.ts';
import { createLog } from '../../../src/log.ts';
import { said } from '../said.ts';
import { type Elsewhere, hurriedClock, type Meant, startElsewhere } from './elsewhere.ts';

export const NOW_MS: number = Date.parse('2026-11-23T08:00:00Z');
export const LATER = '2026-11-23T14:00:00Z';

/** An answer by its body, by status and body, or made for the nth request of its kind. */
type Plain = string | readonly [status: number, body: string, headers?: Record<string, string>];
export type Reply = Plain | ((meant: Meant, nth: number) => Plain);
export type Replies = Readonly<Record<string, Reply>>;

/** One after the other, the last one for ever. */
export function each(...replies: Plain[]): Reply {
  return (_, nth) => replies[nth] ?? replies.at(-1) ?? '';
}

export interface Scene {
  readonly environment?: Readonly<Record<string, string>>;
  /** Below a home folder of its own; `config` and `credentials` mean the two of `.aws`. */
  readonly files?: Readonly<Record<string, string>>;
  /**
   * By method, host and path, e.g. `GET 169.254.169.254/latest/`; the longest that fits counts. Without
   * one it is 404.
   */
  readonly replies?: Replies;
  readonly flags?: Partial<AwsOptions['flags']>;
  readonly clock?: Clock;
  /** How a client is made whose requests do go where they are meant to. */
  readonly connect?: AwsOptions['connect'];
  /** What the system says of the home folder, where the environment says nothing. */
  readonly homedir?: () => string;
}

export interface Rig {
  readonly aws: Aws;
  readonly clock: Clock;
  readonly elsewhere: Elsewhere;
  readonly home: string;
  readonly logged: string[];
  resolve(): Promise<Identity>;
  /** `GET host/path` of all requests so far. */
  asked(): string[];
  write(files: Readonly<Record<string, string>>): void;
  close(): void;
}

/** A whole AWS context in a home of its own, whose every request comes to one loopback server. */
export async function rig(scene: Scene): Promise<Rig> {
  const { environment = {}, files = {}, replies = {}, clock = hurriedClock(NOW_MS) } = scene;
  const home = mkdtempSync(join(tmpdir(), 'aws-home-'));
  const write: Rig['write'] = (more) => {
    for (const [name, text] of Object.entries(more)) {
      const path = join(home, /^(?:config|credentials)$/.test(name) ? `.aws/${name}` : name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text.replaceAll('HOME/', `${home}/`));
    }
  };
  write(files);
  const counts = new Map<string, number>();
  const elsewhere = await startElsewhere((meant, response) => {
    const what = `${meant.method} ${meant.url.host}${meant.url.pathname}`;
    const fitting = Object.keys(replies).filter((one) => what.startsWith(one));
    const [key = ''] = fitting.sort((one, other) => other.length - one.length);
    const reply = replies[key] ?? [404, 'none'];
    const nth = counts.get(key) ?? 0;
    counts.set(key, nth + 1);
    const plain = typeof reply === 'function' ? reply(meant, nth) : reply;
    const [status, body, headers = {}] = typeof plain === 'string' ? [200, plain] : plain;
    response.sendDate = false;
    response.writeHead(status, headers).end(body);
  });
  const logged: string[] = [];
  const none = { profile: undefined, region: undefined, endpoint: undefined, caBundle: undefined };
  const pairs = Object.entries(environment).map(([key, value]) => [
    key,
    value.replaceAll('HOME/', `${home}/`),
  ]);
  const aws = createAws({
    home: {
      environment: { HOME: home, ...Object.fromEntries(pairs) },
      platform: 'linux',
      homedir: scene.homedir ?? (() => home),
    },
    flags: { ...none, ...scene.flags },
    clock,
    log: createLog({
      level: 'debug',
      format: 'text',
      clock,
      write: (line) => logged.push(said(line)),
    }),
    random: () => 0.5,
    connect: scene.connect ?? elsewhere.connect,
  });
  return {
    aws,
    clock,
    elsewhere,
    home,
    logged,
    write,
    resolve: () =>
      aws.credentials.resolve(new AbortController().signal).catch((error: unknown) => {
        throw said(error);
      }),
    asked: () => elsewhere.seen.map(({ method, url }) => `${method} ${url.host}${url.pathname}`),
    close() {
      aws.close();
      elsewhere.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Opens rigs that last for one test of the file that calls this. */
export function rigs(environment: Scene['environment'] = {}): (scene: Scene) => Promise<Rig> {
  const open: Rig[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });
  return async (scene) => {
    const made = await rig({ ...scene, environment: { ...environment, ...scene.environment } });
    open.push(made);
    return made;
  };
}

/** A profile's static keys. */
export function profileKeys(id: string): string {
  return `aws_access_key_id = ${id}\naws_secret_access_key = secret-of-${id}\n`;
}

/** Files of a profile by SSO whose login is good, and the portal's answer to it. */
export function ssoLogin(region: string): { files: Record<string, string>; answer: string } {
  const config = `[default]
sso_start_url = https://start
sso_region = ${region}
sso_account_id = 123456789012
sso_role_name = Role
`;
  const token = { accessToken: 'token-of-bearer', expiresAt: LATER };
  const roleCredentials = {
    accessKeyId: 'SSO',
    secretAccessKey: 'secret-of-SSO',
    sessionToken: 'token-of-SSO',
    expiration: Date.parse(LATER),
  };
  const cached = `.aws/sso/cache/${createHash('sha1').update('https://start').digest('hex')}.json`;
  return {
    files: { config, [cached]: JSON.stringify(token) },
    answer: JSON.stringify({ roleCredentials }),
  };
}

/** The credentials that a role's JSON has, as containers and instances tell them. */
export function roleJson(id: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    Code: 'Success',
    AccessKeyId: id,
    SecretAccessKey: `secret-of-${id}`,
    Token: `token-of-${id}`,
    Expiration: LATER,
    ...more,
  });
}

/** STS's answer to an action. */
export function stsXml(action: string, id: string, expiration: string = LATER): string {
  return `<?xml version="1.0"?>
<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    <Credentials>
      <AccessKeyId>${id}</AccessKeyId>
      <SecretAccessKey>secret-of-${id}</SecretAccessKey>
      <SessionToken>token-of-${id}&#43;</SessionToken>
      <Expiration>${expiration}</Expiration>
    </Credentials>
  </${action}Result>
</${action}Response>`;
}

export function errorXml(code: string, message = 'a message'): string {
  return `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
}
