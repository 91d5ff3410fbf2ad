/**
 * /proc/self/cgroup, a line a hierarchy:
 *
 *     4:memory:/docker/0123
 *     2:cpu,cpuacct:/docker/0123
 *     0::/system.slice/docker.service
 *
 * The line without controllers is the unified hierarchy (version 2).
 *
 * @see https://man7.org/linux/man-pages/man7/cgroups.7.html
 */

/** The controller name under which the unified hierarchy is kept. */
export const UNIFIED = '';

/**
 * Controller → path. A path may hold colons (containerd writes some), so only the first two split.
 * Lines of another form are left out.
 */
export function parseMemberships(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  return paths;
}
