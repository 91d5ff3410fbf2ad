import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createAws } from '../../src/aws/aws.ts';
import type { Identity } from '../../src/aws/credentials/identity.ts';
import { createLog } from '../../src/log.ts';
import { hurriedClock, type Meant, startElsewhere } from '../support/aws/elsewhere.ts';
import { hasVectors, readVectors, VECTORS } from '../support/aws/vectors.ts';
import { said } from '../support/said.ts';

const SET = 'default-credential-provider-chain';

/** Why a case fails, in our words: that it fails is not enough. */
const FAILURES: Readonly<Record<string, RegExp>> = {
  eks_pod_identity_no_token_file: /token\.jwt is not there/,
  imds_default_chain_error: /^no credentials: .*the instance has no role$/,
  imds_disabled: /^no credentials: .*AWS_EC2_METADATA_DISABLED is true$/,
  imds_no_iam_role: /credential_source Ec2InstanceMetadata has none/,
  imds_token_fail: /instance metadata gives no token \(HTTP 403\): it is switched off/,
  profile_overrides_web_identity: /credential_source Environment has none/,
  sso_no_token_file: /\.json: no login is kept there; run: aws sso login --profile sso-test$/,
  sso_server_error: /^SSO answered HTTP 503$/,
  web_identity_source_profile_no_env: /profile B: web_identity_token_file needs a role_arn/,
  web_identity_token_invalid_jwt: /AssumeRoleWithWebIdentity: InvalidIdentityToken: No OpenID/,
};

/** What a case needs beside its own environment. */
const MORE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // The case was recorded with one attempt.
  sso_server_error: { AWS_MAX_ATTEMPTS: '1' },
};

interface Case {
  readonly result: {
    readonly Ok?: {
      access_key_id: string;
      secret_access_key: string;
      session_token?: string;
      expiry?: number;
    };
    readonly ErrorContains?: string;
  };
}

interface Traffic {
  readonly events: readonly { connection_id: number; action: Action }[];
}

interface Action {
  Request?: {
    request: { uri: string; method: string; headers: Record<string, string[]> };
  };
  Response?: { response: { Ok: { status: number; headers: Record<string, string[]> } } };
  Data?: { data: { Utf8: string }; direction: 'Request' | 'Response' };
}

interface Exchange {
  uri: URL;
  method: string;
  asked: Record<string, string[]>;
  form: string;
  status: number;
  headers: Record<string, string[]>;
  body: string;
}

function exchangesOf(traffic: Traffic): Exchange[] {
  const all = new Map<number, Exchange>();
  for (const { connection_id: id, action } of traffic.events) {
    const { Request, Response, Data } = action;
    if (Request) {
      const { uri, method, headers } = Request.request;
      const empty = { form: '', status: 0, headers: {}, body: '' };
      all.set(id, { uri: new URL(uri), method, asked: headers, ...empty });
    }
    const one = all.get(id);
    if (one && Response) {
      one.status = Response.response.Ok.status;
      one.headers = Response.response.Ok.headers;
    }
    if (one && Data) one[Data.direction === 'Request' ? 'form' : 'body'] += Data.data.Utf8;
  }
  return [...all.values()];
}

/** Headers of the recording that say something about what is asked; the rest is the SDK's own. */
const TELLING = ['x-aws-ec2-metadata-token', 'x-amz-sso_bearer_token', 'accept'];

function assertMeant(meant: Meant, recorded: Exchange): void {
  assert.equal(meant.method, recorded.method);
  assert.equal(meant.url.origin + meant.url.pathname, recorded.uri.origin + recorded.uri.pathname);
  const sorted = ({ searchParams }: URL): string[][] => [...searchParams].sort();
  assert.deepEqual(sorted(meant.url), sorted(recorded.uri));
  for (const name of TELLING) {
    const [value] = recorded.asked[name] ?? [];
    if (value !== undefined) assert.equal(meant.headers[name], value, name);
  }
  const action = /^Action=(\w+)&Version=([\d-]+)/;
  const [, ...recordedAction] = action.exec(recorded.form) ?? [];
  const form = new URLSearchParams(meant.body);
  const came = [form.get('Action'), form.get('Version')].filter((one) => one !== null);
  assert.deepEqual(came, recordedAction);
  // Role ARNs and tokens of the recordings are other ones than those of their settings.
  const signer = /Credential=([^/]+)\//;
  const recordedSigner = signer.exec(recorded.asked['authorization']?.[0] ?? '')?.[1];
  const signed = signer.exec(String(meant.headers['authorization']))?.[1];
  if (meant.method === 'POST') assert.equal(signed === undefined, recordedSigner === undefined);
}

function replay(exchange: Exchange, response: ServerResponse): void {
  response.sendDate = false;
  for (const [name, values] of Object.entries(exchange.headers)) {
    // Bodies were shortened after the recording, their lengths were not.
    if (!/^(?:content-length|connection)$/.test(name)) response.setHeader(name, values);
  }
  response.writeHead(exchange.status).end(exchange.body);
}

/** The case's `/` in a temporary folder, with paths that lead into it. */
function mount(from: string): { root: string; at: (text: string) => string } {
  const root = mkdtempSync(join(tmpdir(), 'vectors-'));
  const at = (text: string): string =>
    text.replace(/(^|= *)(?=\/(?:token\.jwt|home)$)/m, `$1${root}`);
  if (existsSync(from)) cpSync(from, root, { recursive: true });
  const config = join(root, 'home/.aws/config');
  if (existsSync(config)) {
    const lines = readFileSync(config, 'utf8').split('\n');
    writeFileSync(config, lines.map(at).join('\n'));
  }
  return { root, at };
}

async function run(name: string): Promise<void> {
  const { result } = readVectors<Case>(SET, name, 'test-case.json');
  const given = readVectors<Record<string, string>>(SET, name, 'env.json');
  const hasTraffic = existsSync(join(VECTORS, SET, name, 'http-traffic.json'));
  const recorded = hasTraffic ? exchangesOf(readVectors(SET, name, 'http-traffic.json')) : [];
  const left = [...recorded];
  const elsewhere = await startElsewhere((_, response) => {
    const next = left.shift();
    if (next === undefined) response.writeHead(599).end();
    else replay(next, response);
  });
  const { root, at } = mount(join(VECTORS, SET, name, 'fs'));
  const pairs = Object.entries({ ...given, ...MORE[name] });
  const environment = Object.fromEntries(pairs.map(([key, value]) => [key, at(value)]));
  const clock = hurriedClock(0);
  const aws = createAws({
    home: { environment, platform: 'linux', homedir: () => join(root, 'nobody') },
    flags: { profile: undefined, region: undefined, endpoint: undefined, caBundle: undefined },
    clock,
    log: createLog({ level: 'debug', format: 'text', clock, write: said }),
    random: () => 0.5,
    connect: elsewhere.connect,
  });
  try {
    const outcome = await aws.credentials.resolve(new AbortController().signal).catch(said);
    assertOutcome(name, outcome, result);
    assert.equal(elsewhere.seen.length, recorded.length, 'as many requests as were recorded');
    for (const [index, meant] of elsewhere.seen.entries()) {
      const one = recorded[index];
      if (one !== undefined) assertMeant(meant, one);
    }
  } finally {
    elsewhere.close();
    rmSync(root, { recursive: true, force: true });
  }
}

function assertOutcome(name: string, outcome: Identity | Error, { Ok }: Case['result']): void {
  if (Ok === undefined) {
    assert.ok(outcome instanceof Error, 'it fails');
    assert.match(outcome.message, FAILURES[name] ?? /(?!)/);
    return;
  }
  if (outcome instanceof Error) throw outcome;
  const { accessKeyId, secretAccessKey, sessionToken, expiresMs } = outcome;
  assert.deepEqual(
    [accessKeyId, secretAccessKey, sessionToken, expiresMs && expiresMs / 1000],
    [Ok.access_key_id, Ok.secret_access_key, Ok.session_token, Ok.expiry],
  );
}

describe('the default chain, by the SDK for Rust’s vectors', { skip: !hasVectors }, () => {
  const names = hasVectors ? readdirSync(join(VECTORS, SET)) : [];
  for (const name of names) test(name, () => run(name));
  test('are 29', () => assert.equal(names.length, 29));
});
