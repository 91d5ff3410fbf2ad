/**
 * /proc/self/mountinfo, a line a mount:
 *
 *     36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *
 * id, parent, device, root (the folder of the file system that is mounted), mount point, options,
 * any number of optional fields, a dash, type, source, options of the file system. Blank, tab, line
 * feed and backslash stand as `\040 \011 \012 \134`.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
 */

export interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  /** Of the file system: for cgroup version 1, its controllers. */
  readonly options: readonly string[];
}

/**
 * What is visible at each mount point: of several mounts on one point the last hides the others. Lines
 * of another form are left out.
 */
export function parseMounts(text: string): Mount[] {
  const visible = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [head = '', tail] = splitOnce(line, ' - ');
    const [, , , root, point] = head.split(' ');
    const [type, , options = ''] = tail?.split(' ') ?? [];
    if (root === undefined || point === undefined || type === undefined) continue;
    const path = unescaped(point);
    visible.delete(path);
    visible.set(path, { root: unescaped(root), point: path, type, options: options.split(',') });
  }
  return [...visible.values()];
}

function splitOnce(text: string, mark: string): [string, string?] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
