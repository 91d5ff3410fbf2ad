import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointOf, type Service } from '../../src/aws/endpoint.ts';
import { ConfigError } from '../../src/errors.ts';
import { profileKeys, rigs, stsXml } from '../support/aws/aws.ts';

const on = rigs({ AWS_REGION: 'eu-west-1' });

/** A region of each partition, and its two suffixes. */
const PARTITIONS: readonly [partition: string, region: string, suffix: string, dual: string][] = [
  ['aws', 'eu-west-1', 'amazonaws.com', 'api.aws'],
  ['aws-cn', 'cn-north-1', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
  ['aws-eusc', 'eusc-de-east-1', 'amazonaws.eu', 'api.amazonwebservices.eu'],
  ['aws-us-gov', 'us-gov-west-1', 'amazonaws.com', 'api.aws'],
  ['aws-iso', 'us-iso-east-1', 'c2s.ic.gov', 'api.aws.ic.gov'],
  ['aws-iso-b', 'us-isob-east-1', 'sc2s.sgov.gov', 'api.aws.scloud'],
  ['aws-iso-e', 'eu-isoe-west-1', 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
  ['aws-iso-f', 'us-isof-south-1', 'csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
  ['none of them', 'mars-north-1', 'amazonaws.com', 'api.aws'],
];

/** GovCloud's hosts, which differ: plain, FIPS, dual stack, both. */
const GOV: Readonly<Record<Service, readonly string[]>> = {
  monitoring: ['monitoring', 'monitoring', 'monitoring', 'monitoring'],
  sts: ['sts', 'sts', 'sts', 'sts-fips'],
  'portal.sso': ['portal.sso', 'portal.sso', 'portal.sso', 'portal.sso-fips'],
  s3: ['s3', 's3', 's3.dualstack', 's3-fips.dualstack'],
};
const VARIANTS = [
  ['plain', { fips: false, dualStack: false }],
  ['FIPS', { fips: true, dualStack: false }],
  ['dual stack', { fips: false, dualStack: true }],
  ['FIPS and dual stack', { fips: true, dualStack: true }],
] as const;

for (const service of ['monitoring', 'sts', 'portal.sso'] as const) {
  describe(`${service} answers`, () => {
    for (const [partition, region, suffix, dual] of PARTITIONS) {
      for (const [index, [what, variant]] of VARIANTS.entries()) {
        const usual = variant.fips ? `${service}-fips` : service;
        const host = partition === 'aws-us-gov' ? (GOV[service][index] ?? '') : usual;
        const expected = `https://${host}.${region}.${variant.dualStack ? dual : suffix}/`;
        test(`in ${partition}, ${what}: ${expected}`, () => {
          assert.equal(endpointOf(service, region, variant).href, expected);
        });
      }
    }
  });
}

describe('the endpoint by settings', () => {
  async function endpointBy(environment: Record<string, string>, config = ''): Promise<string> {
    const made = await on({ environment, files: { config } });
    return (await made.aws.locate(new AbortController().signal)).endpoint.href;
  }

  test('a partition’s own names', async () => {
    const cn = await endpointBy({ AWS_REGION: 'cn-north-1' });
    assert.equal(cn, 'https://monitoring.cn-north-1.amazonaws.com.cn/');
    const gov = await endpointBy({ AWS_REGION: 'us-gov-west-1', AWS_USE_FIPS_ENDPOINT: 'TRUE' });
    assert.equal(gov, 'https://monitoring.us-gov-west-1.amazonaws.com/');
  });

  test('a custom endpoint with FIPS or dual stack is refused', async () => {
    for (const name of ['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT']) {
      const both = { [name]: 'true', AWS_ENDPOINT_URL: 'http://h:1' };
      await assert.rejects(endpointBy(both), ConfigError);
      await assert.rejects(endpointBy({ [name]: 'yes' }), ConfigError);
    }
  });

  test('AWS_ENDPOINT_URL moves STS too', async () => {
    const config = `[default]\nrole_arn = arn:aws:iam::1:role/A\nsource_profile = b\n[profile b]\n${profileKeys('B')}`;
    const replies = { 'POST local:4566/': stsXml('AssumeRole', 'ROLE') };
    const environment = { AWS_ENDPOINT_URL: 'http://local:4566' };
    assert.equal(
      (await (await on({ files: { config }, environment, replies })).resolve()).accessKeyId,
      'ROLE',
    );
  });

  const config =
    '[default]\nservices = s\nendpoint_url = http://profile\n[services s]\ncloudwatch =\n endpoint_url = http://service\n';
  const rows: [what: string, environment: Record<string, string>, href: string][] = [
    [
      'the variable for all beats the profile’s for one',
      { AWS_ENDPOINT_URL: 'http://all' },
      'http://all/',
    ],
    [
      'the variable for one beats that for all',
      { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_CLOUDWATCH: 'http://one' },
      'http://one/',
    ],
    ['the service’s beats the profile’s', {}, 'http://service/'],
    [
      'all can be ignored',
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL: 'http://all' },
      'https://monitoring.eu-west-1.amazonaws.com/',
    ],
    ['a base path is kept', { AWS_ENDPOINT_URL: 'http://h:4566/base' }, 'http://h:4566/base/'],
  ];
  for (const [what, environment, href] of rows) {
    test(what, async () => assert.equal(await endpointBy(environment, config), href));
  }

  const wrong = ['us-east-1.evil.com', 'x/..', 'a@b', 'a:80', '#', 'a b', '-a', 'a-', '123'];
  for (const region of wrong) {
    test(`the region ${region} gets into no URL`, async () => {
      await assert.rejects(endpointBy({ AWS_REGION: region }), ConfigError);
      await assert.rejects(endpointBy({ AWS_REGION: '' }, `[default]\nregion = ${region}`));
    });
  }

  test('a region that asks for FIPS by its name', async () => {
    const href = 'https://monitoring-fips.us-east-1.amazonaws.com/';
    for (const region of ['fips-us-east-1', 'us-east-1-fips', 'aws-fips', 'fips-aws-global']) {
      assert.equal(await endpointBy({ AWS_REGION: region }), href);
    }
  });

  test('the region of an ECS task comes from its ARN', async () => {
    const metadata = 'http://169.254.170.2/v4/x';
    const arn = '{"TaskARN":"arn:aws:ecs:ap-south-1:1:task/c/t","AvailabilityZone":"ap-south-1a"}';
    const made = await on({
      environment: { AWS_REGION: '', ECS_CONTAINER_METADATA_URI_V4: metadata },
      replies: { 'GET 169.254.170.2/v4/x/task': arn },
    });
    const { region } = await made.aws.locate(new AbortController().signal);
    assert.deepEqual([region.name, region.from], ['ap-south-1', 'the ECS task']);
  });
});

test('a scalar of a service’s name is no block', async () => {
  const config = '[default]\nservices = s\n[services s]\ncloudwatch = endpoint_url=http://no\n';
  const made = await on({ files: { config } });
  const { endpoint } = await made.aws.locate(new AbortController().signal);
  assert.equal(endpoint.host, 'monitoring.eu-west-1.amazonaws.com');
});
