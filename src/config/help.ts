import type { Flag, FlagTable, Switch } from './flags.ts';

/** The help's groups: a title, and the names of its flags in their order. A test holds that each flag is in one. */
export const GROUPS: readonly (readonly [title: string, names: string])[] = [
  ['What is sent', 'namespace service dimension metrics statistics period compat-fraction'],
  ['Where it goes', 'output region profile endpoint-url ca-bundle sign header entity'],
  [
    'What is measured',
    'scope root interval memory-mode cpu-base cpu-limit memory-limit exclude-self',
  ],
  ['How it is delivered', 'jitter buffer spool spool-limit flush-timeout'],
  [
    'To look at it',
    'dry-run once explain check check-publish status-file healthy max-age log-level log-format help version',
  ],
  ['With a job, after --', 'stop-timeout grace receipt report'],
];

const PROGRAM = 'cloudwatch-metrics-agent';
/** Columns of a terminal, and those of a flag before its meaning. */
const COLUMNS = 80;
const FLAG_COLUMNS = 26;

/** What `--help` prints. */
export function helpText(version: string, table: FlagTable): string {
  const all: readonly (Flag<unknown> | Switch)[] = [...table.flags, ...table.switches];
  const groups = GROUPS.map(([title, names]) => {
    const wanted = names.split(' ');
    const flags = wanted.flatMap((name) => all.filter((flag) => flag.name === name));
    return `${title}:\n${flags.map(entry).join('')}`;
  });
  return `${PROGRAM} ${version}: CPU and memory to Amazon CloudWatch

  ${PROGRAM} --dry-run                    look, send nothing
  ${PROGRAM} -n NS -s NAME                measure and publish
  ${PROGRAM} -n NS -s NAME -- COMMAND     the same around a job

${groups.join('\n')}
Each flag has an environment twin: METRICS_AGENT_PERIOD=60 is --period 60.
Credentials, region, endpoint and proxy are found as by the AWS SDKs; --check
tells how. Exit codes: 0 all was sent; 1 failed, data was lost at the end, or
--once measured nothing; 2 a setting is wrong; with a job, the job's.
`;
}

/** The flag as it is typed; beside it, or below where it is long, what it means with its default. */
function entry(flag: Flag<unknown> | Switch): string {
  const { name, short, meaning } = flag;
  const dash = short === undefined ? '    ' : `-${short}, `;
  const value = 'value' in flag ? ` ${flag.value}` : '';
  const fallback = 'fallback' in flag && flag.fallback !== '' ? ` (${flag.fallback})` : '';
  const lines = [`  ${dash}--${name}${value}`];
  if ((lines[0]?.length ?? 0) > FLAG_COLUMNS - 2) lines.push('');
  for (const word of `${meaning}${fallback}`.split(' ')) {
    const last = lines.pop() ?? '';
    const longer =
      last.length < FLAG_COLUMNS ? last.padEnd(FLAG_COLUMNS) + word : `${last} ${word}`;
    if (longer.length <= COLUMNS) lines.push(longer);
    else lines.push(last, ' '.repeat(FLAG_COLUMNS) + word);
  }
  return `${lines.join('\n')}\n`;
}
