/**
 * What Node can hear and the kernel does not send for a fault of ours. As tini, but for SIGABRT, which a
 * person sends to have a core. Not among them: KILL and STOP, which nobody hears; CHLD; SEGV, BUS, FPE,
 * ILL, TRAP and SYS, which a handler would answer for ever; TTIN and TTOU, which stop us with the job;
 * the real-time signals, for which Node has no names.
 */
export type Forwarded =
  | ('SIGHUP' | 'SIGINT' | 'SIGQUIT' | 'SIGABRT' | 'SIGUSR1' | 'SIGUSR2' | 'SIGPIPE' | 'SIGALRM')
  | ('SIGTERM' | 'SIGSTKFLT' | 'SIGCONT' | 'SIGTSTP' | 'SIGURG' | 'SIGXCPU' | 'SIGXFSZ')
  | ('SIGVTALRM' | 'SIGPROF' | 'SIGWINCH' | 'SIGIO' | 'SIGPWR');

export const FORWARDED: readonly Forwarded[] = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const),
  ...(['SIGALRM', 'SIGTERM', 'SIGSTKFLT', 'SIGCONT', 'SIGTSTP', 'SIGURG', 'SIGXCPU'] as const),
  ...(['SIGXFSZ', 'SIGVTALRM', 'SIGPROF', 'SIGWINCH', 'SIGIO', 'SIGPWR'] as const),
];

/** Where our process group has the terminal, the kernel tells all of it of these. */
const BY_TERMINAL: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGWINCH']);

/** Whether the terminal has told the job itself. @param stat the text of /proc/self/stat */
export function isToldByTerminal(signal: string, stat: string): boolean {
  if (!BY_TERMINAL.has(signal)) return false;
  // After the name in parentheses, which may hold anything: state, ppid, pgrp, session, tty_nr, tpgid.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group !== undefined && group === foreground;
}

/** A process's state letter: R, S, D, T … */
export function stateOf(stat: string): string {
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

/** Options of these inits that take a value of their own. */
const WITH_VALUE = new Set(['-p', '-e', '-r', '--rewrite']);

/**
 * Whether an init signals its child's whole process group, and so the job itself: dumb-init, unless it
 * is told otherwise, and tini with -g.
 *
 * @param parent the text of /proc/<ppid>/cmdline
 */
export function isToldByParent(
  parent: string,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const [path = '', ...words] = parent.split('\0');
  const init = path.slice(path.lastIndexOf('/') + 1);
  const options: string[] = [];
  for (let at = 0; words[at]?.startsWith('-') === true && words[at] !== '--'; at += 1) {
    options.push(words[at] ?? '');
    if (WITH_VALUE.has(words[at] ?? '')) at += 1;
  }
  if (init === 'dumb-init') {
    const isSingle = options.some((one) => one === '-c' || one === '--single-child');
    return !isSingle && environment['DUMB_INIT_SETSID'] !== '0';
  }
  if (init !== 'tini' && init !== 'docker-init' && init !== 'tini-static') return false;
  if ((environment['TINI_KILL_PROCESS_GROUP'] ?? '') !== '') return true;
  return options.some((one) => /^-[a-z]*g/.test(one));
}
