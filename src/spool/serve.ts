import type { Readable, Writable } from 'node:stream';
import { codeOf, reasonOf } from '../errors.ts';
import type { DiskAnswer, DiskRequest } from './apart.ts';
import { type Disk, openDisk } from './disk.ts';

/** Serves a folder to the process that started us, one call after the other, until it goes. */
export async function serveDisk(folder: string, input: Readable, output: Writable): Promise<void> {
  const disk = openDisk(folder);
  let rest = '';
  for await (const chunk of input.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) output.write(`${JSON.stringify(await answered(disk, line))}\n`);
  }
}

async function answered(disk: Disk, line: string): Promise<DiskAnswer> {
  const request: unknown = JSON.parse(line);
  if (!isRequest(request)) return { id: 0, code: 'EINVAL' };
  const { id } = request;
  try {
    return { id, value: await called(disk, request) };
  } catch (error) {
    return { id, code: codeOf(error) ?? 'EIO', message: reasonOf(error) };
  }
}

function called(disk: Disk, { name, argv }: DiskRequest): Promise<unknown> {
  const [first, second, third] = argv;
  const [file, other] = [String(first), String(second)];
  switch (name) {
    case 'list':
    case 'identity':
    case 'close':
      return disk[name]();
    case 'read':
      return second === undefined ? disk.read(file) : disk.read(file, Number(second));
    case 'append':
      return disk.append(file, other, third === true);
    case 'truncate':
    case 'touch':
      return disk[name](file, Number(second));
    case 'rename':
      return disk.rename(file, other);
    default:
      return disk[name](file);
  }
}

function isRequest(value: unknown): value is DiskRequest {
  return typeof value === 'object' && value !== null && 'id' in value && 'name' in value;
}
