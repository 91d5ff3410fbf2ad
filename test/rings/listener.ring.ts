import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { lacking } from '../support/lab/needs.ts';
import { type Program, startAgent } from '../support/program.ts';
import { awsOf, startCloudwatch } from '../support/service/cloudwatch.ts';

/** What a process listens on by the kernel: TCP, UDP and UNIX sockets. */
function listening(pid: number): string[] {
  const { status, stdout, stderr } = spawnSync('ss', ['-H', '-lntuxp'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter((line) => line.includes(`pid=${pid},`));
}

/** A process and all that it has started. */
function family(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  return [pid, ...text.split(' ').filter(Boolean).map(Number).flatMap(family)];
}

const NAMES = ['--namespace', 'N', '--service', 's', '--period', '1', '--jitter', '0'];
const JOB = 'trap "echo got" USR1; trap exit TERM; while :; do sleep 0.1; done';
/** Nobody is there, and nobody need be. */
const DATAGRAMS = 'emf=udp://127.0.0.1:9';
const WAYS: readonly (readonly [what: string, argv: readonly string[]])[] = [
  ['beside an application', NAMES],
  ['in a dry run', ['--dry-run', '--period', '1']],
  ['around a job, which gets the signal', [...NAMES, '--', 'sh', '-c', JOB]],
  ['with windows as datagrams too', [...NAMES, '--output', 'cloudwatch', '--output', DATAGRAMS]],
  ['with all that it can be asked for', [...NAMES, '--metrics', 'all', '--log-level', 'debug']],
];

describe('the agent listens on nothing', { skip: lacking('ss') }, () => {
  for (const [what, argv] of WAYS) {
    test(what, async (t) => {
      const cloudwatch = await startCloudwatch();
      const folder = mkdtempSync(join(tmpdir(), 'listener-'));
      const at = argv.indexOf('--') < 0 ? argv.length : argv.indexOf('--');
      const kept = ['--status-file', join(folder, 's.json'), '--spool', join(folder, 'spool')];
      const program = startAgent([...argv.slice(0, at), ...kept, ...argv.slice(at)], {
        environment: awsOf(cloudwatch),
      });
      t.after(async () => {
        program.kill('SIGKILL');
        await cloudwatch.close();
        rmSync(folder, { recursive: true, force: true });
      });
      const { pid = 0 } = program.child;
      assert.ok(listening(process.pid).length > 0, 'ss sees the service of this very test');
      if (argv.includes('--dry-run')) {
        await program.until('window', ({ stdout }) => stdout().includes('window '));
      } else await cloudwatch.waitFor(() => cloudwatch.accepted.length >= 2, 20_000);
      // The signal that would open Node's inspector.
      program.kill('SIGUSR1');
      const isSeen = ({ stdout, stderr }: Program): boolean =>
        /^got$/m.test(stdout()) || stderr().includes(' status ');
      await program.until('what the signal does', isSeen);
      for (const one of family(pid)) assert.deepEqual(listening(one), []);
      program.kill('SIGTERM');
      await program.ended;
    });
  }
});
