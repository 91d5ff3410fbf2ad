import { type Program, start } from './program.ts';
import { said } from './said.ts';

/** The built library, to be imported. */
export const LIBRARY: string = new URL('../../dist/index.js', import.meta.url).href;

/** Starts a Node that runs a script in which the built library's names are there. */
export function startScript(
  script: string,
  environment: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Program {
  const text = `import { startAgent, ConfigError } from ${JSON.stringify(LIBRARY)};\n${script}`;
  const argv = [...flags, '--input-type=module', '-e', text];
  const program = start(process.execPath, argv, { environment });
  program.ended.then(() => said(program.stdout() + program.stderr()));
  return program;
}

/** The JSON that the last line of a script's output holds, when it has ended well. */
export async function answerOf(program: Program): Promise<unknown> {
  const code = await program.ended;
  if (code !== 0) throw new Error(`exit ${code}\n${program.stdout()}${program.stderr()}`);
  return JSON.parse(program.stdout().trimEnd().split('\n').at(-1) ?? '');
}
