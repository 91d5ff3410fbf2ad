import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  CONTEXT,
  type Image,
  layImage,
  packagedNode,
  type Restrictions,
  readImage,
  writeBundle,
} from '../support/lab/image.ts';
import { closeLab, type Lab, labLacks, makeFolder, openLab } from '../support/lab/lab.ts';
import { lacking } from '../support/lab/needs.ts';
import { type Program, start } from '../support/program.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../support/service/cloudwatch.ts';
import { serviceUnavailable } from '../support/service/faults.ts';

/** What docs/images.md says to set. */
const RESTRICTIONS = { memoryMiB: 128, pids: 32 };
const FILES = ['Dockerfile.alpine', 'Dockerfile.distroless'];
const NAMES = ['--namespace', 'Images', '--service', 's', '--jitter', '0', '--period', '1'];

for (const file of FILES) {
  describe(file, () => {
    test('has no finding of hadolint', { skip: lacking('hadolint') }, () => {
      const { status, stdout } = spawnSync('hadolint', [join(CONTEXT, file)], { encoding: 'utf8' });
      assert.equal(status, 0, stdout);
    });

    test('refuses a bundle that is not the tested one', () => {
      const { sources, check } = readImage(file);
      const folder = makeFolder();
      for (const source of sources)
        copyFileSync(join(CONTEXT, source), join(folder, basename(source)));
      const [command = '', ...argv] = check;
      assert.equal(spawnSync(command, argv, { cwd: folder }).status, 0);
      appendFileSync(join(folder, 'agent.js'), '\n');
      assert.notEqual(spawnSync(command, argv, { cwd: folder }).status, 0);
    });
  });
}

const skip = labLacks('runc');

describe('as process 1 with nothing but what it needs', { skip }, () => {
  let lab: Lab;
  let node: string;
  let runs = 0;

  before(async () => {
    lab = await openLab();
    node = packagedNode(lab.folder, 24);
  });
  after(closeLab);

  for (const file of FILES) {
    describe(`the image of ${file}`, () => {
      let image: Image;
      let rootfs: string;

      before(() => {
        image = readImage(file);
        rootfs = join(lab.folder, `rootfs-${file}`);
        mkdirSync(rootfs);
        layImage(image, rootfs, node);
      });

      interface Run {
        readonly program: Program;
        /** runc's commands about this container. */
        command(name: string, ...argv: string[]): { status: number | null; stdout: string };
        /** What the HEALTHCHECK says inside. */
        health(): { status: number | null; stdout: string };
      }

      function run(t: TestContext, argv: readonly string[], how: Partial<Restrictions> = {}): Run {
        runs += 1;
        const id = `image-${process.pid}-${runs}`;
        const bundle = join(lab.folder, id);
        mkdirSync(bundle);
        const cgroupsPath = lab.cgroup.child(id).path;
        writeBundle(bundle, rootfs, image, {
          ...RESTRICTIONS,
          cgroupsPath,
          environment: {},
          argv,
          ...how,
        });
        const state = ['--root', join(lab.folder, 'state')];
        const program = start('runc', [...state, 'run', '--bundle', bundle, id]);
        const command: Run['command'] = (name, ...more) =>
          spawnSync('runc', [...state, name, id, ...more], { encoding: 'utf8' });
        t.after(async () => {
          command('kill', 'KILL');
          await program.ended;
          spawnSync('runc', [...state, 'delete', '--force', id]);
        });
        return { program, command, health: () => command('exec', ...image.healthcheck) };
      }

      function environmentOf(url: string): Record<string, string> {
        return {
          AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
          AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
          AWS_REGION: REGION,
          AWS_ENDPOINT_URL: url,
        };
      }

      test('holds the tested bundle', () => {
        const hash = createHash('sha256').update(readFileSync(join(rootfs, 'opt/agent.js')));
        const said = readFileSync(join(CONTEXT, 'dist/agent.js.sha256'), 'utf8');
        assert.equal(`${hash.digest('hex')}  agent.js\n`, said);
      });

      test('a dry run shows a window and ends with 0', async (t) => {
        const { program } = run(t, ['--dry-run', '--once', '--period', '2']);
        assert.equal(await program.ended, 0, program.stderr());
        assert.match(program.stdout(), /MemoryUtilization \d/);
        assert.match(program.stderr(), /scope=container .*mem\.limit=128MiB/);
      });

      test('a wrong setting ends with 2', async (t) => {
        const { program } = run(t, ['--period', 'x']);
        assert.equal(await program.ended, 2);
      });

      test('publishes, is healthy, and ends by its STOPSIGNAL with 0', async (t) => {
        const cloudwatch = await startCloudwatch();
        t.after(() => cloudwatch.close());
        const environment = environmentOf(cloudwatch.url);
        const { program, command, health } = run(t, NAMES, { environment });
        await cloudwatch.waitFor(() => cloudwatch.accepted.length >= 3, 60_000);
        const { status, stdout } = health();
        assert.match(stdout, /^healthy: sampled \d s ago; requests accepted: the last /);
        assert.equal(status, 0);
        assert.equal(command('kill', image.stopSignal).status, 0);
        assert.equal(await program.ended, 0, program.stderr());
        assert.doesNotMatch(program.stderr(), /status file| error /);
      });

      test('is healthy while CloudWatch is out, and loses by 1 what it cannot send', async (t) => {
        const cloudwatch = await startCloudwatch();
        t.after(() => cloudwatch.close());
        cloudwatch.play(() => serviceUnavailable());
        const environment = environmentOf(cloudwatch.url);
        const argv = [...NAMES, '--flush-timeout', '2'];
        const { program, command, health } = run(t, argv, { environment });
        await program.until('trouble', ({ stderr }) => stderr().includes('windows wait'), 60_000);
        const endMs = performance.now() + 20_000;
        let said = '';
        // It says so from the next writing on.
        while (!/windows waiting [1-9]/.test(said)) {
          assert.ok(performance.now() < endMs, said);
          said = health().stdout;
        }
        assert.match(said, /^healthy: .*requests accepted: none; /);
        command('kill', image.stopSignal);
        assert.equal(await program.ended, 1, program.stderr());
      });

      test('has no right that it does not need', async (t) => {
        const { program, command } = run(t, ['--dry-run']);
        await program.until('sample', ({ stdout }) => stdout().includes('Utilization'), 60_000);
        const [node = ''] = image.entrypoint;
        const script = `const fs=require('fs');const s=fs.readFileSync('/proc/1/status','utf8');
        const can=(p)=>{try{fs.writeFileSync(p,'');return true}catch(e){return e.code}};
        console.log(JSON.stringify({caps:/CapEff:\\s+(\\w+)/.exec(s)[1],bound:/CapBnd:\\s+(\\w+)/.exec(s)[1],
        uid:/Uid:\\s+(\\d+)/.exec(s)[1],privs:/NoNewPrivs:\\s+(\\d)/.exec(s)[1],
        root:can('/opt/x'),shm:can('/dev/shm/x')}))`;
        const { stdout } = command('exec', node, '-e', script);
        const none = '0000000000000000';
        assert.deepEqual(JSON.parse(stdout), {
          ...{ caps: none, bound: none, uid: '65532', privs: '1', root: 'EROFS', shm: true },
        });
        assert.ok(!existsSync(join(rootfs, 'bin/sh')), 'no shell is needed');
      });
    });
  }
});
