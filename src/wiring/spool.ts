import type { Config } from '../config/config.ts';
import type { Adopt, PendingWindows, Store } from '../delivery/store.ts';
import type { Disk } from '../spool/disk.ts';
import type { World } from './world.ts';

/**
 * Nothing of the file system is loaded where no spool is asked for.
 *
 * @param output whose windows these are
 */
export async function spoolOpener(
  output: string,
  config: Config,
  { clock, log, random, environment, apart }: World,
): Promise<((pending: PendingWindows, adopt: Adopt) => Store) | undefined> {
  if (config.spool === undefined) return undefined;
  const { lackOfThreads } = await import('../net/threads.ts');
  const lack = lackOfThreads(environment['UV_THREADPOOL_SIZE']);
  if (lack !== undefined && apart === undefined) {
    log.warn('the spool is left out: windows wait in memory alone', { reason: lack });
    return undefined;
  }
  const { Spool } = await import('../spool/spool.ts');
  const digits = (): string => Math.floor(random() * 2 ** 32).toString(16);
  const disk = await openFolder(config.spool, apart);
  return (pending, adopt) =>
    new Spool({
      disk,
      limitBytes: config.spoolLimitBytes,
      owner: `${digits()}${digits()}`,
      output,
      namespace: config.namespace,
      clock,
      log,
      pending,
      adopt,
    });
}

async function openFolder(folder: string, apart: World['apart']): Promise<Disk> {
  if (apart === undefined) return (await import('../spool/disk.ts')).openDisk(folder);
  return (await import('../spool/apart.ts')).openDiskApart(folder, apart);
}
