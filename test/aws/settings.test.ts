import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { AwsOptions } from '../../src/aws/aws.ts';
import { parseCommand } from '../../src/config/config.ts';
import { AwsError, ConfigError, codeOf, ParseError } from '../../src/errors.ts';
import { createHttpClient } from '../../src/net/http.ts';
import { profileKeys, type Rig, rigs, roleJson, type Scene, ssoLogin } from '../support/aws/aws.ts';
import { startElsewhere } from '../support/aws/elsewhere.ts';
import { type Certificate, selfSigned } from '../support/aws/tls.ts';
import { said } from '../support/said.ts';

const on = rigs();

const { signal } = new AbortController();
const ENV_KEYS = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'secret-of-ENV' };
const REGION = { AWS_REGION: 'eu-west-1' };

async function endpointOf(made: Rig): Promise<string> {
  return (await made.aws.locate(signal)).endpoint.href;
}

describe('settings of instance metadata', () => {
  const IMDS = '169.254.169.254';
  const TOKEN = `PUT ${IMDS}/latest/api/token`;
  const ROLES = `GET ${IMDS}/latest/meta-data/iam/security-credentials/`;
  const INSTANCE = { [TOKEN]: 'tok', [ROLES]: 'role', [`${ROLES}role`]: roleJson('INSTANCE') };

  const broken: [environment: Record<string, string>, config: string][] = [
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'not a url' }, ''],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv9' }, ''],
    [{ AWS_METADATA_SERVICE_TIMEOUT: 'soon' }, ''],
    [{ AWS_METADATA_SERVICE_NUM_ATTEMPTS: '-1' }, ''],
    [{ AWS_EC2_INSTANCE_PROFILE_NAME: ' ' }, ''],
    [{}, 'metadata_service_timeout = soon'],
    [{}, 'metadata_service_num_attempts = 0'],
    [{}, 'ec2_metadata_service_endpoint_mode = IPv9'],
    [{}, 'ec2_metadata_service_endpoint = ftp://h'],
  ];
  for (const [environment, line] of broken) {
    const what = line === '' ? JSON.stringify(environment) : line;
    const files = { config: `[default]\n${line}\n` };

    test(`${what} does not matter where the environment has keys and region`, async () => {
      const made = await on({ files, environment: { ...ENV_KEYS, ...REGION, ...environment } });
      assert.equal((await made.resolve()).accessKeyId, 'ENV');
      assert.equal(await endpointOf(made), 'https://monitoring.eu-west-1.amazonaws.com/');
    });

    test(`${what} is an error where the instance would have to be asked`, async () => {
      const made = await on({ files, environment: { ...REGION, ...environment } });
      await assert.rejects(made.resolve(), ConfigError);
      assert.deepEqual(made.asked(), []);
    });
  }

  test('come from the profile: time, tries and the instance profile’s name', async () => {
    const limits: number[] = [];
    const elsewhere = await startElsewhere(({ url }, response) => {
      const isToken = url.pathname === '/latest/api/token';
      response.writeHead(isToken ? 200 : 503).end(isToken ? 'tok' : '');
    });
    const connect: AwsOptions['connect'] = (options) => {
      const { send, close } = elsewhere.connect(options);
      return {
        close,
        send: (request) => {
          limits.push(request.timeoutMs);
          return send(request);
        },
      };
    };
    const config = `[default]
metadata_service_timeout = 7
metadata_service_num_attempts = 2
ec2_instance_profile_name = chosen
`;
    const made = await on({ files: { config }, environment: REGION, connect });
    await assert.rejects(made.resolve(), AwsError);
    elsewhere.close();
    const paths = elsewhere.seen.map(({ method, url }) => `${method} ${url.host}${url.pathname}`);
    assert.deepEqual(paths, [TOKEN, `${ROLES}chosen`, `${ROLES}chosen`]);
    assert.deepEqual(limits, [7000, 7000, 7000]);
  });

  test('of the profile give way to the variables', async () => {
    const config = '[default]\nec2_instance_profile_name = chosen\n';
    const environment = { ...REGION, AWS_EC2_INSTANCE_PROFILE_NAME: 'role' };
    const made = await on({ files: { config }, environment, replies: INSTANCE });
    assert.equal((await made.resolve()).accessKeyId, 'INSTANCE');
    assert.deepEqual(made.asked(), [TOKEN, `${ROLES}role`]);
  });
});

describe('the CA bundle', () => {
  let certificate: Certificate;
  let url: URL;
  const server = createServer((_, response) => response.end('ok'));

  before(async () => {
    certificate = await selfSigned();
    server.setSecureContext(certificate);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    url = new URL(`https://localhost:${port}/`);
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  /** What comes of a request over the client that the settings make. */
  async function ask({ aws }: Rig): Promise<string> {
    const { http } = await aws.context(signal);
    return http
      .send({ method: 'GET', url, headers: {}, timeoutMs: 5000, signal })
      .then(({ body }) => body);
  }

  /** A rig in whose home `good.pem` holds the authority; the client is the real one. */
  function trusting(scene: Scene): Promise<Rig> {
    const files = { 'good.pem': certificate.cert, ...scene.files };
    return on({ ...scene, files, connect: createHttpClient });
  }

  const GONE = '/nonexistent/gone.pem';
  const profile = (file: string): Scene => ({
    files: { config: `[default]\nca_bundle = ${file}\n` },
  });

  test('is the profile’s', async () => {
    assert.equal(await ask(await trusting(profile('HOME/good.pem'))), 'ok');
  });

  test('is AWS_CA_BUNDLE’s before the profile’s', async () => {
    const environment = { AWS_CA_BUNDLE: 'HOME/good.pem' };
    assert.equal(await ask(await trusting({ ...profile(GONE), environment })), 'ok');
  });

  test('is that of --ca-bundle before both', async () => {
    const { home } = await trusting({});
    const flags = { caBundle: `${home}/good.pem` };
    const environment = { AWS_CA_BUNDLE: GONE };
    assert.equal(await ask(await trusting({ ...profile(GONE), environment, flags })), 'ok');
  });

  test('is Node’s own where none is named', async () => {
    const environment = { AWS_CA_BUNDLE: ' ' };
    const asking = ask(await trusting({ ...profile(''), environment }));
    await assert.rejects(asking, (error) => /SELF_SIGNED/.test(codeOf(error) ?? ''));
  });

  const wrong: [what: string, text: string | undefined, problem: RegExp][] = [
    ['is empty', '', /holds no certificate/],
    ['is not there', undefined, /bad\.pem is not there \(ENOENT\)$/],
    ['holds something else', 'secret-of-PEM', /holds no certificate/],
    [
      'holds broken base64',
      '-----BEGIN CERTIFICATE-----\nsecret of !PEM\n-----END CERTIFICATE-----\n',
      /holds a certificate that cannot be read$/,
    ],
    [
      'holds a certificate that ends too early',
      '-----BEGIN CERTIFICATE-----\nMIIB\n',
      /holds no certificate/,
    ],
  ];
  for (const [what, text, problem] of wrong) {
    test(`that ${what} is an error that names the file and nothing of it`, async () => {
      const files = text === undefined ? {} : { 'bad.pem': text };
      const made = await trusting({ files, environment: { AWS_CA_BUNDLE: 'HOME/bad.pem' } });
      await assert.rejects(made.aws.context(signal), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.setting, 'AWS_CA_BUNDLE');
        assert.ok(error.message.includes(`${made.home}/bad.pem`));
        assert.match(error.message, problem);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /secret.of/);
        return true;
      });
    });
  }

  test('that holds one broken certificate among good ones is an error', async () => {
    const torn = certificate.cert.replace(/\n[^\n-]{8}/, '\n');
    const made = await trusting({
      files: { 'bad.pem': certificate.cert + torn },
      environment: { AWS_CA_BUNDLE: 'HOME/bad.pem' },
    });
    await assert.rejects(made.aws.context(signal), /holds a certificate that cannot be read$/);
  });

  test('may be in OpenSSL’s own form, which says for what it is trusted', async (t) => {
    const { home, write } = await trusting({});
    const made = spawnSync('openssl', ['x509', '-in', join(home, 'good.pem'), '-trustout'], {
      encoding: 'utf8',
    });
    if (made.status !== 0) return t.skip('SKIP: no openssl here');
    assert.match(made.stdout, /BEGIN TRUSTED CERTIFICATE/);
    write({ 'trusted.pem': made.stdout });
    const flags = { caBundle: join(home, 'trusted.pem') };
    assert.equal(await ask(await trusting({ flags })), 'ok');
  });

  test('without the root of whoever answers is named in the failure', async () => {
    const files = { 'other.pem': (await selfSigned()).cert };
    const made = await trusting({ files, environment: { AWS_CA_BUNDLE: 'HOME/other.pem' } });
    const told = `: ${made.home}/other.pem (AWS_CA_BUNDLE) holds no root for it`;
    await assert.rejects(ask(made), (error) => {
      assert.ok(error instanceof Error && error.message.endsWith(told), String(error));
      return true;
    });
  });

  test('may have words around its certificates', async () => {
    const made = await trusting({
      files: { 'words.pem': `# Ours\nCN = localhost\n${certificate.cert}\n# the end` },
      environment: { AWS_CA_BUNDLE: 'HOME/words.pem' },
    });
    assert.equal(await ask(made), 'ok');
  });

  test('that is emptied after its first use does not matter any more', async () => {
    const made = await trusting({ environment: { AWS_CA_BUNDLE: 'HOME/good.pem' } });
    assert.equal(await ask(made), 'ok');
    made.write({ 'good.pem': '' });
    server.closeAllConnections();
    assert.equal(await ask(made), 'ok');
  });
});

describe('attempts', () => {
  const wrong: [environment: Record<string, string>, config: string, setting: string][] = [
    [{ AWS_RETRY_MODE: 'wrong' }, '', 'AWS_RETRY_MODE'],
    [{}, 'retry_mode = wrong', 'the profile’s retry_mode'],
    [{}, 'max_attempts = 0', 'the profile’s max_attempts'],
    ...['0', '-1', '1.5', 'two', '1e1'].map((text): [Record<string, string>, string, string] => [
      { AWS_MAX_ATTEMPTS: text },
      '',
      'AWS_MAX_ATTEMPTS',
    ]),
  ];
  for (const [environment, line, setting] of wrong) {
    test(`by ${line === '' ? JSON.stringify(environment) : line} are refused`, async () => {
      const files = { config: `[default]\n${line}\n` };
      const made = await on({ files, environment: { ...ENV_KEYS, ...REGION, ...environment } });
      for (const asking of [made.resolve(), made.aws.locate(signal)]) {
        await assert.rejects(asking, (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.setting, setting);
          return true;
        });
      }
    });
  }

  for (const text of ['1', '1000', '007', '99999999999999999999']) {
    test(`may be ${text}`, async () => {
      const made = await on({ environment: { ...ENV_KEYS, AWS_MAX_ATTEMPTS: text } });
      assert.equal((await made.resolve()).accessKeyId, 'ENV');
    });
  }

  for (const mode of ['standard', 'Adaptive', 'LEGACY']) {
    test(`may be in mode ${mode}`, async () => {
      const made = await on({ environment: { ...ENV_KEYS, AWS_RETRY_MODE: mode } });
      assert.equal((await made.resolve()).accessKeyId, 'ENV');
    });
  }
});

describe('endpoints', () => {
  const AT_AWS = 'https://monitoring.eu-west-1.amazonaws.com/';
  const own = 'endpoint_url = http://profile\nservices = s\n';
  const services = '[services s]\ncloudwatch =\n endpoint_url = http://service\n';

  const ignoring: [what: string, config: string, environment: Record<string, string>][] = [
    [
      'the profile’s own, one service’s and the variables are ignored by the profile',
      `[default]\nignore_configured_endpoint_urls = true\n${own}${services}`,
      { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_CLOUDWATCH: 'http://one' },
    ],
    [
      'even wrong ones are ignored',
      '[default]\nignore_configured_endpoint_urls = True\nendpoint_url = ftp://h\n',
      { AWS_ENDPOINT_URL: '::' },
    ],
  ];
  for (const [what, config, environment] of ignoring) {
    test(what, async () => {
      const made = await on({ files: { config }, environment: { ...REGION, ...environment } });
      assert.equal(await endpointOf(made), AT_AWS);
    });
  }

  test('are not ignored where the variable says so, nor where the flag names one', async () => {
    const files = {
      config: `[default]\nignore_configured_endpoint_urls = true\n${own}${services}`,
    };
    const environment = { ...REGION, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'false' };
    assert.equal(await endpointOf(await on({ files, environment })), 'http://service/');
    const flags = { endpoint: new URL('http://flag/') };
    const made = await on({ files, environment: REGION, flags });
    assert.equal(await endpointOf(made), 'http://flag/');
  });

  test('are ignored only by true or false', async () => {
    const files = { config: '[default]\nignore_configured_endpoint_urls = 1\n' };
    await assert.rejects(endpointOf(await on({ files, environment: REGION })), ConfigError);
  });

  test('AWS_ENDPOINT_URL_SSO moves SSO, and nothing else', async () => {
    const { files, answer } = ssoLogin('eu-central-1');
    const made = await on({
      files,
      environment: { ...REGION, AWS_ENDPOINT_URL_SSO: 'http://sso.local:4566/base' },
      replies: { 'GET sso.local:4566/base/federation/credentials': answer },
    });
    assert.equal((await made.resolve()).accessKeyId, 'SSO');
    assert.equal(await endpointOf(made), AT_AWS);
  });
});

describe('a password in an endpoint’s URL is in no error', () => {
  const urls = [
    'http://me:secret-of-URL@h',
    'https://me:secret-of-URL@h:8443/base?a=b#c',
    'http://secret-of-URL@h',
    'ftp://me:secret-of-URL@h',
    'http://me:secret-of-URL@h:port',
    'http://me:secret-of-URL@',
    'http://me:secret-of-URL@secret-of-URL@h',
    'http://me:secret-of-URL/secret-of-URL@h',
    'http://me:one secret-of-URL@h',
    'me:secret-of-URL@h',
    '//me:secret-of-URL@h',
    'https:/me:secret-of-URL@h',
    'http://h/?token=secret-of-URL',
  ];

  function assertTold(error: unknown): true {
    assert.ok(error instanceof ConfigError && !(error instanceof ParseError));
    said(error);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /secret-of-URL/);
    return true;
  }

  for (const url of urls) {
    const ways: [what: string, scene: Scene][] = [
      ['AWS_ENDPOINT_URL', { environment: { AWS_ENDPOINT_URL: url } }],
      ['AWS_ENDPOINT_URL_CLOUDWATCH', { environment: { AWS_ENDPOINT_URL_CLOUDWATCH: url } }],
      ['the profile', { files: { config: `[default]\nendpoint_url = ${url}\n` } }],
      [
        'the profile’s services',
        {
          files: {
            config: `[default]\nservices = s\n[services s]\ncloudwatch =\n endpoint_url = ${url}\n`,
          },
        },
      ],
    ];
    for (const [what, scene] of ways) {
      test(`${url.replace('secret-of-URL', 'PW')} by ${what}`, async () => {
        const made = await on({ ...scene, environment: { ...REGION, ...scene.environment } });
        await assert.rejects(made.aws.locate(signal), assertTold);
      });
    }

    test(`${url.replace('secret-of-URL', 'PW')} by --endpoint-url and its twin`, () => {
      const rest = ['--namespace', 'a', '--service', 'b'];
      assert.throws(() => parseCommand([...rest, '--endpoint-url', url], {}), assertTold);
      const twin = { METRICS_AGENT_ENDPOINT_URL: url };
      assert.throws(() => parseCommand(rest, twin), assertTold);
    });
  }

  test('nor does STS’s own tell it', async () => {
    const config = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${profileKeys('B')}`;
    const environment = { ...REGION, AWS_ENDPOINT_URL_STS: urls[0] ?? '' };
    await assert.rejects((await on({ files: { config }, environment })).resolve(), assertTold);
  });
});
