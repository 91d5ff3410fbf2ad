import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What the programs of a lab are called where they run. */
export interface Place {
  readonly node: string;
  readonly agent: string;
  readonly load: string;
  /** For bundles, states and data. */
  readonly folder: string;
}

/** An empty folder of this name in there. */
export function freshFolder(parent: string, name: string): string {
  const path = join(parent, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
