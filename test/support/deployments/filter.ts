import { run } from './tools.ts';

/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, by the kernel's numbers. */
const FAMILIES = [1, 2, 10, 16];
const PROT_EXEC = 4;
const EPERM = 1;
const ALLOW = 'SCMP_ACT_ALLOW';
const DENY = 'SCMP_ACT_ERRNO';

/** The names in a set of systemd's, and in the sets that it holds. */
function namesIn(set: string): string[] {
  const { ok, text } = run('systemd-analyze', ['syscall-filter', '--no-pager', set]);
  if (!ok) throw new Error(text);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== set && /^@?\w/.test(line))
    .flatMap((line) => (line.startsWith('@') ? namesIn(line) : [line]));
}

/** What `SystemCallFilter` and `RestrictAddressFamilies` of the unit leave, as runc is told it. */
export function unitFilter(): object {
  const refused = new Set([...namesIn('@privileged'), ...namesIn('@resources'), 'socket']);
  const names = [...new Set(namesIn('@system-service'))].filter((name) => !refused.has(name));
  const sockets = FAMILIES.map((value) => {
    const args = [{ index: 0, value, op: 'SCMP_CMP_EQ' }];
    return { names: ['socket'], action: ALLOW, args };
  });
  return {
    defaultAction: DENY,
    defaultErrnoRet: EPERM,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
    syscalls: [{ names, action: ALLOW }, ...sockets],
  };
}

/** What `MemoryDenyWriteExecute` forbids: to make memory executable that was not mapped so. */
export function noNewCode(): object {
  const args = [{ index: 2, value: PROT_EXEC, valueTwo: PROT_EXEC, op: 'SCMP_CMP_MASKED_EQ' }];
  return {
    defaultAction: ALLOW,
    syscalls: [{ names: ['mprotect', 'pkey_mprotect'], action: DENY, errnoRet: EPERM, args }],
  };
}
