import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointOf, type Service } from '../../src/aws/endpoint.ts';

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
