import { spawnSync } from 'node:child_process';

/** Why a ring cannot run here, as the reason of a skipped test; false where it can. */
export function lacking(...commands: readonly string[]): string | false {
  const missing = commands.filter(
    (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0,
  );
  return missing.length > 0 ? `not on PATH: ${missing.join(', ')}` : false;
}
