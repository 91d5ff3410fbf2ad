import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lacking } from '../support/lab/needs.ts';
import { AGENT, type Program, start } from '../support/program.ts';
import {
  type Cloudwatch,
  CREDENTIALS,
  REGION,
  startCloudwatch,
} from '../support/service/cloudwatch.ts';

const ENTRYPOINT = fileURLToPath(new URL('../../examples/entrypoint.sh', import.meta.url));

/** How a container starts the script. */
const INITS: Readonly<Record<string, readonly string[]>> = {
  'tini -g': ['tini', '-s', '-g', '--', 'sh', ENTRYPOINT],
  tini: ['tini', '-s', '--', 'sh', ENTRYPOINT],
  'dumb-init': ['dumb-init', '--', 'sh', ENTRYPOINT],
  'no init': ['sh', ENTRYPOINT],
};

let cloudwatch: Cloudwatch;
let running: Program | undefined;

beforeEach(async () => {
  cloudwatch = await startCloudwatch();
});

afterEach(async () => {
  running?.kill('SIGKILL');
  await cloudwatch.close();
});

function run(init: readonly string[], job: string): Program {
  const [command = '', ...argv] = [...init, 'sh', '-c', job];
  running = start(command, argv, {
    environment: {
      AGENT_JS: AGENT,
      METRICS_AGENT_NAMESPACE: 'Jobs',
      METRICS_AGENT_SERVICE: 'job',
      METRICS_AGENT_LOG_LEVEL: 'info',
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: cloudwatch.url,
    },
  });
  return running;
}

/** The last window came, whole; a job may live across a minute's end, which makes two. */
function assertPublished(): void {
  const { accepted } = cloudwatch;
  assert.ok(accepted.length === 1 || accepted.length === 2, `${accepted.length} windows`);
  assert.equal(accepted.at(-1)?.data.length, 3);
}

for (const [name, init] of Object.entries(INITS)) {
  const skip = lacking(...init.slice(0, 1));
  describe(`the entrypoint under ${name}`, { skip }, () => {
    test('a job that ends well: the last window arrives, exit code 0', async () => {
      assert.equal(await run(init, 'sleep 1.2').ended, 0);
      assertPublished();
    });

    test('a job that fails: the last window arrives, the exit code is the job’s', async () => {
      assert.equal(await run(init, 'sleep 1.2; exit 37').ended, 37);
      assertPublished();
    });

    test('SIGTERM to the init: the job may end in its own way, and the last window arrives', async () => {
      const job = 'trap "echo job got TERM; exit 41" TERM; echo ready; while :; do sleep 0.1; done';
      const program = run(init, job);
      await program.until('start of both', ({ stdout, stderr }) => {
        return stdout().includes('ready') && stderr().includes('scope=');
      });
      program.kill('SIGTERM');
      assert.equal(await program.ended, 41, program.stderr());
      assert.match(program.stdout(), /job got TERM/);
      assertPublished();
    });
  });
}
