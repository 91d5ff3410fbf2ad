import { type Program, start } from './program.ts';
import { said } from './said.ts';
import { type Cloudwatch, CREDENTIALS, REGION } from './service/cloudwatch.ts';

/** The built library, to be imported. */
export const LIBRARY: string = new URL('../../dist/index.js', import.meta.url).href;

/** What finds the loopback CloudWatch: the provider chain's variables, as the SDKs have them. */
export function awsOf(cloudwatch: Pick<Cloudwatch, 'url'>): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: cloudwatch.url,
  };
}

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
