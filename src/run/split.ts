/** What stands before the first `--`, and the job behind it. */
export interface Split {
  readonly flags: readonly string[];
  readonly command: readonly string[];
}

/** With one of these before `--` the job does not run: they are about the agent. */
const ABOUT_US =
  /^(?:-h|--(?:help|version|check|check-publish|explain)(?:=(?:true|1))?|--healthy(?:=.*)?)$/s;

/** Splits at the first argument that is exactly `--`, before anything is parsed; nothing without one. */
export function splitCommand(argv: readonly string[]): Split | undefined {
  const at = argv.indexOf('--');
  if (at < 0) return undefined;
  return { flags: argv.slice(0, at), command: argv.slice(at + 1) };
}

/** Whether the flags ask for something else than running the job. */
export function isAboutUs(flags: readonly string[]): boolean {
  return flags.some((flag) => ABOUT_US.test(flag));
}
