/**
 * What container runtimes call the control group of a container:
 *
 *     /docker/<id>                                                    Docker, cgroupfs
 *     /system.slice/docker-<id>.scope                                 Docker, systemd
 *     /ecs/<task>/<id>                                                ECS
 *     /kubepods/burstable/pod<uid>/<id>                               Kubernetes, cgroupfs
 *     /kubepods.slice/…/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope
 *     /user.slice/…/libpod-<id>.scope/container                       Podman (the scope)
 *     /machine.slice/libpod-<id>                                      Podman, cgroupfs
 *     /lxc.payload.<name>, /lxc/<name>                                LXC
 *     /system.slice:docker:<id>                                       runc, systemd names on cgroupfs
 */

const SCOPE = /^(?:docker|libpod|cri-containerd|crio|nerdctl|podman)-(?!conmon).+\.scope$/;
const BARE =
  /^(?:libpod|crio)-(?!conmon)[^.]+$|^lxc\.payload\..+$|:(?:docker|cri-containerd|crio|nerdctl):./;
const ID = /^[0-9a-f]{64}$/;
/** A folder whose children are containers. */
const PARENT = /^(?:docker|lxc|lxc\.payload|buildkit|podman|garden)$/;
/** A pod's folder, whose children are containers. */
const POD = /^pod[0-9a-f][0-9a-f_-]+$|^kubepods.*-pod[0-9a-f][0-9a-f_]+\.slice$/;

/** Whether the last name of a path is a container's. */
export function isContainerName(names: readonly string[]): boolean {
  const [last = '', parent = '', grandparent = ''] = [...names].reverse();
  if (SCOPE.test(last) || BARE.test(last) || ID.test(last)) return true;
  if (last === '' || last.endsWith('.slice') || last.endsWith('.service')) return false;
  return PARENT.test(parent) || POD.test(parent) || grandparent === 'ecs';
}

/** How many names of a path lead to the innermost container; 0 where none of them is one. */
export function containerDepth(path: string): number {
  const names = namesOf(path);
  for (let depth = names.length; depth > 0; depth -= 1) {
    if (isContainerName(names.slice(0, depth))) return depth;
  }
  return 0;
}

/** The names of a path, without what is none. */
export function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** What a container's own init system puts below the container's group. */
const INNER = /^(?:init|init\.scope|supervisor|container|payload|system\.slice|user\.slice)$/;
const INNER_TREE = /^(?:init\.scope|system\.slice)$/;

/** The container that a group belongs to: what its name says, else without what lies within one. */
export function containerOf(names: readonly string[]): readonly string[] {
  const depth = containerDepth(names.join('/'));
  if (depth > 0) return names.slice(0, depth);
  // Below the slice of an init system inside, each service has a group.
  const first = names.findIndex((name) => name !== '..');
  const slice = names.findIndex((name, at) => at > first && INNER_TREE.test(name));
  let end = slice < 0 ? names.length : slice;
  while (end > 0 && INNER.test(names[end - 1] ?? '')) end -= 1;
  return names.slice(0, end);
}

/**
 * Whether a group is another one, or lies in it. The group of no names holds all but its parents; who
 * is known as one of the parents only holds nothing for sure.
 */
export function isBelow(names: readonly string[], group: readonly string[]): boolean {
  if (group.every((name) => name === '..')) return group.length === 0 && names[0] !== '..';
  return group.every((name, depth) => names[depth] === name);
}
