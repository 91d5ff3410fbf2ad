import assert from 'node:assert/strict';
import type { Measured } from './agent.ts';
import type { Pod } from './sidecar.ts';

/** Whom the kernel does not let read the other's files. */
export const HIDDEN: readonly {
  readonly what: string;
  readonly name: string;
  readonly app: Pick<Pod['app'], 'user'>;
  readonly sidecar: Pick<Pod['sidecar'], 'user'>;
}[] = [
  { what: 'user 1000 beside user 0', name: 'hidden-0', app: {}, sidecar: { user: 1000 } },
  {
    what: 'user 65534 beside user 1000',
    name: 'hidden-1000',
    app: { user: 1000 },
    sidecar: { user: 65_534 },
  },
  {
    what: 'root without SYS_PTRACE beside user 1000',
    name: 'hidden-root',
    app: { user: 1000 },
    sidecar: {},
  },
];

/** Nothing is published, and the log says who cannot read whom and what to do. */
export function assertHidden(run: Measured, user: number, other: number): void {
  const said = `${JSON.stringify(run.metrics)}\n${run.stderr}`;
  assert.deepEqual([run.samples, run.metrics], [[], {}], said);
  assert.equal(run.scope['scope'], 'none:', said);
  const who = new RegExp(`user ${user} may not read node \\(process \\d+, user ${other}\\)`);
  assert.match(run.warnings.join('\n'), who);
  assert.match(run.warnings.join('\n'), /as the same user, or as root with .*SYS_PTRACE/);
  assert.doesNotMatch(run.warnings.join('\n'), /shareProcessNamespace|\balone\b/);
}
