import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { ConfigError, codeOf, NoDataError } from '../../src/errors.ts';
import { type Replies, type Rig, rigs, type Scene, ssoLogin } from '../support/aws/aws.ts';

const on = rigs();

const { signal } = new AbortController();
const IMDS = '169.254.169.254';
const TOKEN = `PUT ${IMDS}/latest/api/token`;
const PLACEMENT = `GET ${IMDS}/latest/meta-data/placement/region`;
const DOCUMENT = `GET ${IMDS}/latest/dynamic/instance-identity/document`;
const TASK = 'GET 169.254.170.2/v4/x/task';

async function regionOf(made: Rig): Promise<[name: string, from: string]> {
  const { region } = await made.aws.locate(signal);
  return [region.name, region.from];
}

describe('the region', () => {
  /** From the first that counts to the last. */
  const places: readonly [from: string, name: string, scene: Scene][] = [
    ['--region', 'by-flag-1', { flags: { region: 'by-flag-1' } }],
    ['AWS_REGION', 'by-variable-1', { environment: { AWS_REGION: 'by-variable-1' } }],
    ['AWS_DEFAULT_REGION', 'by-default-1', { environment: { AWS_DEFAULT_REGION: 'by-default-1' } }],
    ['the profile', 'by-profile-1', { files: { config: '[default]\nregion = by-profile-1' } }],
    [
      'the ECS task',
      'by-task-1',
      {
        environment: { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' },
        replies: { [TASK]: '{"TaskARN":"arn:aws:ecs:by-task-1:1:task/c/t"}' },
      },
    ],
    [
      'instance metadata',
      'by-instance-1',
      { replies: { [TOKEN]: 'tok', [PLACEMENT]: 'by-instance-1' } },
    ],
  ];

  for (const [index, [from, name]] of places.entries()) {
    test(`is that of ${from} where nothing before that has one`, async () => {
      const rest = places.slice(index).map(([, , scene]) => scene);
      const scene = {
        flags: Object.assign({}, ...rest.map(({ flags }) => flags)),
        environment: Object.assign({}, ...rest.map(({ environment }) => environment)),
        files: Object.assign({}, ...rest.map(({ files }) => files)),
        replies: Object.assign({}, ...rest.map(({ replies }) => replies)),
      };
      assert.deepEqual(await regionOf(await on(scene)), [name, from]);
    });
  }

  test('is not looked for beyond the first place that has one', async () => {
    const scenes = places.slice(3).map(([, , scene]) => scene);
    const replies = Object.assign({}, ...scenes.map((scene) => scene.replies));
    const made = await on({ ...places[3]?.[2], replies });
    await regionOf(made);
    assert.deepEqual(made.asked(), []);
  });

  test('is none where it is blank', async () => {
    const environment = {
      AWS_REGION: ' ',
      AWS_DEFAULT_REGION: '\t',
      ECS_CONTAINER_METADATA_URI_V4: ' ',
      ECS_CONTAINER_METADATA_URI: '',
    };
    const files = { config: '[default]\nregion =\n' };
    const replies = { [TOKEN]: 'tok', [PLACEMENT]: 'by-instance-1\n' };
    const made = await on({ environment, files, replies });
    assert.deepEqual(await regionOf(made), ['by-instance-1', 'instance metadata']);
  });

  test('is nowhere, and that is said', async () => {
    const made = await on({ environment: { AWS_EC2_METADATA_DISABLED: 'true' } });
    await assert.rejects(regionOf(made), (error) => error instanceof NoDataError);
    assert.deepEqual(made.asked(), []);
  });

  for (const wrong of ['fips--fips', 'fips-', '-fips', 'fips-fips-']) {
    test(`is not ${wrong}`, async () => {
      const flag = on({ flags: { region: wrong } });
      const variable = on({ environment: { AWS_REGION: wrong } });
      for (const made of [await flag, await variable]) {
        await assert.rejects(regionOf(made), ConfigError);
      }
    });
  }
});

/** That there is no region is what is said first, and then why. */
function causedBy(code: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof NoDataError);
    assert.match(error.message, /^no region: set --region, AWS_REGION or the profile’s region \(/);
    assert.ok(error.message.includes(code), error.message);
    assert.equal(codeOf(error.cause), code);
    return true;
  };
}

describe('instance metadata', () => {
  const GOOD: Replies = {
    [TOKEN]: 'tok',
    [PLACEMENT]: 'eu-west-1',
    [DOCUMENT]: '{"region":"us-west-2"}',
  };

  test('is asked for its document only where it has no placement/region', async () => {
    const modern = await on({ replies: GOOD });
    assert.equal((await regionOf(modern))[0], 'eu-west-1');
    assert.deepEqual(modern.asked(), [TOKEN, PLACEMENT]);
    const old = await on({ replies: { ...GOOD, [PLACEMENT]: [404, 'none'] } });
    assert.equal((await regionOf(old))[0], 'us-west-2');
    assert.deepEqual(old.asked(), [TOKEN, PLACEMENT, DOCUMENT]);
  });

  for (const status of [400, 403, 500]) {
    test(`that answers ${status} for it is a failure, and the document is not asked for`, async () => {
      const made = await on({ replies: { ...GOOD, [PLACEMENT]: [status, 'no'] } });
      await assert.rejects(regionOf(made), causedBy(`HTTP ${status}`));
      assert.ok(!made.asked().includes(DOCUMENT));
    });
  }

  for (const status of [400, 403, 404, 405]) {
    test(`of another cloud, which answers ${status} to the token’s request, is only a hint`, async () => {
      const made = await on({ replies: { [TOKEN]: [status, 'no'] } });
      await assert.rejects(regionOf(made), (error) => {
        assert.ok(error instanceof NoDataError);
        assert.match(
          error.message,
          new RegExp(`^no region: .*gives no token \\(HTTP ${status}\\)`),
        );
        return true;
      });
      await assert.rejects(made.resolve(), (error) => {
        assert.ok(error instanceof NoDataError);
        assert.match(error.message, new RegExp(`^no credentials: .*\\(HTTP ${status}\\)`));
        return true;
      });
    });
  }

  for (const [what, replies] of [
    ['placement/region', { [PLACEMENT]: '<html>token-of-page: log in</html>' }],
    ['the document', { [PLACEMENT]: [404, ''], [DOCUMENT]: '{"region":"<b>token-of-page</b>"}' }],
    ['the task', { [TASK]: '{"TaskARN":"arn:aws:ecs:<b>token-of-page</b>:1:task/c/t"}' }],
  ] as const) {
    test(`a page in the place of ${what} is a failure that does not repeat it`, async () => {
      const isTask = what === 'the task';
      const uri = { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/x' };
      const none = isTask ? { [TOKEN]: [404, ''] as const } : {};
      const all = { ...GOOD, ...none, ...replies };
      const made = await on({ environment: isTask ? uri : {}, replies: all });
      await assert.rejects(regionOf(made), (error) => {
        assert.ok(error instanceof NoDataError);
        assert.match(error.message, /^no region: .* answered something else than a region/);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /token-of-page|html|<b>/);
        return true;
      });
    });
  }

  test('that failed is asked again, since the region is not known yet', async () => {
    const made = await on({
      replies: { ...GOOD, [PLACEMENT]: (_, nth) => (nth === 0 ? [403, 'no'] : 'eu-west-1') },
    });
    await assert.rejects(regionOf(made), causedBy('HTTP 403'));
    assert.equal((await regionOf(made))[0], 'eu-west-1');
  });
});

for (const [region, host] of [
  ['EU-Central-1', 'portal.sso.eu-central-1.amazonaws.com'],
  // By capitals it would be in no partition but the first.
  ['CN-North-1', 'portal.sso.cn-north-1.amazonaws.com.cn'],
] as const) {
  test(`the region of SSO may be ${region}, and the host is ${host}`, async () => {
    const { files, answer } = ssoLogin(region);
    const made = await on({ files, replies: { [`GET ${host}/`]: answer } });
    assert.equal((await made.resolve()).accessKeyId, 'SSO');
  });
}
