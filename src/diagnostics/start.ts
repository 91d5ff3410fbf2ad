import type { Config } from '../config/config.ts';
import { type Environment, given } from '../environment.ts';
import { shownUrl } from '../errors.ts';
import type { Fields } from '../log.ts';

const SCOPES: Readonly<Record<string, string>> = {
  host: 'this host',
  container: 'this container',
  task: 'this task, all its containers',
  none: 'nothing yet',
};
/** Under a minute CloudWatch stores by these seconds; from there on by whole minutes. */
const SHORT_PERIODS = [1, 5, 10, 30];
const MINUTE_MS = 60_000;

/** The one line of the start: what is measured, and where it goes. */
export function startLine(
  config: Config,
  description: string,
  environment: Environment,
): [message: string, fields: Fields] {
  const { dryRun, periodMs, metrics, namespace } = config;
  const limits = fieldsOf(description);
  const scope = scopeText(limits['scope']);
  const what = dryRun ? 'shows' : 'publishes';
  const rhythm = `${periodMs / 1000} s`;
  const destination = dryRun ? 'standard output' : destinationOf(config, environment);
  return [
    `started: measures ${scope}, ${what} every ${rhythm}`,
    {
      namespace,
      service: config.dimensions[0]?.Value,
      destination,
      metrics: metrics.map(({ name }) => name).join(','),
      ...limits,
    },
  ];
}

/** A scope's name in words. */
export function scopeText(scope = 'source'): string {
  return SCOPES[scope.split(':')[0] ?? ''] ?? `the ${scope}`;
}

/** As it was given; what is found out later is said when it is found. */
function destinationOf(config: Config, environment: Environment): string {
  const at = cloudwatchAt(config, environment);
  const each = config.outputs.map((output) => {
    if (output.kind === 'cloudwatch') return at;
    if (output.kind === 'emf') return `EMF to ${output.to ?? 'standard output'}`;
    return `OTLP at ${output.url ?? at.replace(/^CloudWatch at /, '')}`;
  });
  return each.join(' and ');
}

function cloudwatchAt({ endpoint, region }: Config, environment: Environment): string {
  const url =
    endpoint?.href ??
    given(environment, 'AWS_ENDPOINT_URL_CLOUDWATCH') ??
    given(environment, 'AWS_ENDPOINT_URL');
  // A password in it is an error later, and is not shown before.
  if (url !== undefined) return `CloudWatch at ${shownUrl(url)}`;
  const name =
    region ?? given(environment, 'AWS_REGION') ?? given(environment, 'AWS_DEFAULT_REGION');
  return name === undefined ? 'CloudWatch, its region yet to be found' : `CloudWatch in ${name}`;
}

/** `cpu.limit=0.5 (quota of …) mem.mode=workingset` as fields; programs read them from JSON logs. */
export function fieldsOf(description: string): Record<string, string> {
  const pairs = description.matchAll(/(?:^| )([\w.]+)=((?:(?! [\w.]+=).)*)/g);
  return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, value]));
}

/** What is to be said of a period that CloudWatch has no statistics for; nothing of any other. */
export function periodWarning(periodMs: number): string | undefined {
  const isKnown = periodMs % MINUTE_MS === 0 || SHORT_PERIODS.includes(periodMs / 1000);
  return isKnown
    ? undefined
    : `a period of ${periodMs / 1000} s: CloudWatch's own are 1, 5, 10, 30 and multiples of 60 s, so graphs and alarms see two windows in some and none in others`;
}
