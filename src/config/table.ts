// Over 200 lines: the flag table is one thing, and every row is read beside the others.
import { ENDPOINT_EXPECTED, isRegion, parseEndpoint } from '../aws/endpoint.ts';
import {
  isDimensionName,
  isDimensionValue,
  isNamespace,
  MAX_DIMENSIONS,
} from '../cloudwatch/limits.ts';
import { shownUrl } from '../errors.ts';
import { LEVELS, type Level } from '../log.ts';
import { isToken, TOKENS } from '../metadata/dimensions.ts';
import { CATALOG, namedMetrics } from '../metrics/catalog.ts';
import type { Statistics } from '../metrics/metric.ts';
import type { Dimension } from '../metrics/publication.ts';
import { CPU_BASES, type CpuBase, MEMORY_MODES, type MemoryMode } from '../sources/options.ts';
import type { Scope } from '../sources/select.ts';
import type { Flag, FlagTable, Switch } from './flags.ts';
import { OUTPUT_EXPECTED, OUTPUT_VALUE, type Output, parseOutput } from './outputs.ts';

const LONGEST_PERIOD = 3600;
const LEAST_INTERVAL = 0.1;
const LONGEST_FLUSH = 600;
const LONGEST_AGE = 86_400;
export const MOST_DEFAULT_JITTER = 15;
const MIB = 1024 * 1024;
/** More than any machine has. */
const MOST_BYTES = 2 ** 50;
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: MIB, G: 1024 * MIB };

export const namespace: Flag<string> = {
  name: 'namespace',
  short: 'n',
  value: 'NS',
  fallback: 'required, except with --dry-run and --check',
  meaning: 'CloudWatch namespace to publish to',
  expected: '1 to 255 printable ASCII characters, not beginning with ":" or "AWS/"',
  parse: (text) => (isNamespace(text) ? text : undefined),
};

export const service: Flag<string> = {
  name: 'service',
  short: 's',
  aliases: ['service-name'],
  value: 'NAME',
  fallback: 'required, except with --dry-run and --check',
  meaning: 'value of the dimension ServiceName',
  expected: '1 to 1024 printable ASCII characters',
  parse: (text) => (isDimensionValue(text) ? text : undefined),
};

export const period: Flag<number> = {
  name: 'period',
  short: 'p',
  value: 'SECONDS',
  fallback: '60',
  meaning: 'publishing window; under 60 it is stored in high resolution',
  expected: `a whole number of seconds from 1 to ${LONGEST_PERIOD}`,
  parse: (text) => (/^\d+$/.test(text) ? within(Number(text), 1, LONGEST_PERIOD) : undefined),
};

export const interval: Flag<number> = {
  name: 'interval',
  value: 'SECONDS',
  fallback: '0.9',
  meaning: 'sampling interval',
  expected: `a multiple of ${LEAST_INTERVAL} seconds, at least ${LEAST_INTERVAL}, at most the period`,
  parse: (text) =>
    /^\d*\.?\d0*$|^\d+\.\d0*$/.test(text)
      ? within(Number(text), LEAST_INTERVAL, LONGEST_PERIOD)
      : undefined,
};

export const dimension: Flag<Dimension> = {
  name: 'dimension',
  value: 'NAME=VALUE',
  fallback: '',
  meaning: `one more dimension, or NAME=@TOKEN; repeatable, at most ${MAX_DIMENSIONS} with ServiceName`,
  expected:
    'NAME=VALUE: a name of 1 to 255 and a value of 1 to 1024 printable ASCII characters, the name not beginning with ":"; or NAME=@TOKEN with one of ' +
    TOKENS.join(', '),
  parse: parseDimension,
};

export const statistics: Flag<Statistics> = {
  name: 'statistics',
  value: 'median|distribution',
  fallback: 'median',
  meaning: 'one median a window, or all values with their counts',
  expected: 'median or distribution',
  parse: (text) => (text === 'median' || text === 'distribution' ? text : undefined),
};

export const metrics: Flag<readonly string[]> = {
  name: 'metrics',
  value: 'LIST',
  fallback: 'default: CPUUtilization,MemoryUtilization,MaxMemoryUtilization',
  meaning: 'what to publish: names between commas, `default`, `all`, and `-Name` to leave one out',
  expected: `names between commas, default, all, or -Name after one of them; names are ${CATALOG.map(({ name }) => name).join(', ')}`,
  parse(text) {
    const words = text.split(',').map((word) => word.trim());
    return (namedMetrics(words, 'median')?.length ?? 0) > 0 ? words : undefined;
  },
};

export const region: Flag<string> = {
  name: 'region',
  value: 'REGION',
  fallback: 'AWS_REGION, AWS_DEFAULT_REGION, the profile’s, ECS’s, EC2’s',
  meaning: 'AWS region to publish to',
  expected: 'a region such as eu-west-1',
  parse: (text) => (isRegion(text) ? text.toLowerCase() : undefined),
};

export const endpointUrl: Flag<URL> = {
  name: 'endpoint-url',
  value: 'URL',
  fallback: 'AWS_ENDPOINT_URL_CLOUDWATCH, AWS_ENDPOINT_URL, the profile’s, the region’s own',
  meaning: 'where CloudWatch answers',
  expected: ENDPOINT_EXPECTED,
  shown: shownUrl,
  parse: parseEndpoint,
};

export const output: Flag<Output> = {
  name: 'output',
  value: OUTPUT_VALUE,
  fallback: 'cloudwatch',
  meaning: 'where windows go, in place of cloudwatch; repeatable: each gets every window',
  expected: OUTPUT_EXPECTED,
  shown: shownUrl,
  parse: parseOutput,
};

export type Sign = 'auto' | 'always' | 'never';

export const sign: Flag<Sign> = {
  name: 'sign',
  value: 'auto|always|never',
  fallback: 'auto: for AWS’s hosts and for loopback',
  meaning: 'sign what goes to an OTLP endpoint; it needs credentials then',
  expected: 'auto, always or never',
  parse: (text) => (text === 'auto' || text === 'always' || text === 'never' ? text : undefined),
};

/** A header for an OTLP endpoint: its value is never shown. */
export const header: Flag<readonly [name: string, value: string]> = {
  name: 'header',
  value: 'NAME=VALUE',
  fallback: '',
  meaning: 'one more header for an OTLP endpoint, such as a key; repeatable, never shown',
  expected: 'NAME=VALUE: the name of a header that is not the agent’s own, and printable ASCII',
  // Without a value the name may be a part of a key, which ends in = as base64.
  shown: (text) => `${/^[^=]+=(?=[^=])/.exec(text)?.[0] ?? ''}…`,
  parse: parseHeader,
};

export const profile: Flag<string> = {
  name: 'profile',
  value: 'NAME',
  fallback: 'AWS_PROFILE, default',
  meaning: 'profile of the AWS config files; keys in the environment then do not count',
  expected: 'the name of a profile',
  parse: (text) => text || undefined,
};

export const caBundle: Flag<string> = {
  name: 'ca-bundle',
  value: 'FILE',
  fallback: 'AWS_CA_BUNDLE, the profile’s, Node’s own',
  meaning: 'certificates of the only authorities to trust, PEM',
  expected: 'a file',
  parse: (text) => text || undefined,
};

export const root: Flag<string> = {
  name: 'root',
  value: 'DIR',
  fallback: '/',
  meaning: 'read proc/ and sys/ below this folder (a host mounted into a container)',
  expected: 'a folder',
  parse: (text) => (text === '' ? undefined : text),
};

export const scope: Flag<Scope> = {
  name: 'scope',
  value: 'auto|host|container|task|cgroup:PATH',
  fallback: 'auto; host with another --root',
  meaning: 'what to measure',
  expected: 'auto, host, container, task or cgroup:/PATH',
  parse: parseScope,
};

export const memoryMode: Flag<MemoryMode> = {
  name: 'memory-mode',
  value: MEMORY_MODES.join('|'),
  fallback: 'workingset',
  meaning:
    'memory in use as free, kubelet and docker stats reckon it, with all page cache, or without cache and slabs',
  expected: MEMORY_MODES.join(', '),
  parse: (text) => MEMORY_MODES.find((mode) => mode === text),
};

export const cpuBase: Flag<CpuBase> = {
  name: 'cpu-base',
  value: CPU_BASES.join('|'),
  fallback: 'limit',
  meaning: 'what is 100 % of CPU: the tightest limit, or all CPUs of the host',
  expected: CPU_BASES.join(' or '),
  parse: (text) => CPU_BASES.find((base) => base === text),
};

export const flushTimeout: Flag<number> = {
  name: 'flush-timeout',
  value: 'SECONDS',
  fallback: '8',
  meaning: 'longest stay after the first SIGTERM; Docker kills after 10',
  expected: `a number of seconds from 1 to ${LONGEST_FLUSH}`,
  parse: (text) =>
    /^\d+(\.\d+)?$/.test(text) ? within(Number(text), 1, LONGEST_FLUSH) : undefined,
};

export const jitter: Flag<number> = {
  name: 'jitter',
  value: 'SECONDS',
  fallback: `a quarter of the period, at most ${MOST_DEFAULT_JITTER}`,
  meaning:
    'publish at a random but fixed offset of up to this, so that a fleet does not come at once',
  expected: 'a number of seconds from 0 to the period',
  parse: (text) =>
    /^\d+(\.\d+)?$/.test(text) ? within(Number(text), 0, LONGEST_PERIOD) : undefined,
};

export const buffer: Flag<number> = {
  name: 'buffer',
  value: 'SIZE',
  fallback: '4MiB',
  meaning: 'memory for windows that wait: two weeks of default minutes take 2.5 MiB',
  expected: 'a size from 64KiB to 1GiB, such as 4MiB',
  parse: (text) => within(parseSize(text), 64 * 1024, 1024 * MIB),
};

export const spool: Flag<string> = {
  name: 'spool',
  value: 'DIR',
  fallback: 'none',
  meaning: 'keep what waits in this folder too, over a crash or a restart',
  expected: 'a folder',
  parse: (text) => text || undefined,
};

export const spoolLimit: Flag<number> = {
  name: 'spool-limit',
  value: 'SIZE',
  fallback: '64MiB',
  meaning: 'the most that this process keeps in the spool',
  expected: 'a size from 1MiB to 1GiB, such as 64MiB',
  parse: (text) => within(parseSize(text), MIB, 1024 * MIB),
};

export const cpuLimit: Flag<number> = {
  name: 'cpu-limit',
  value: 'CORES',
  fallback: 'what can be seen',
  meaning: 'a CPU limit that cannot be seen from inside (a pod’s, a task’s); the tightest counts',
  expected: 'cores above 0, such as 0.5 or 500m',
  parse: parseCores,
};

export const memoryLimit: Flag<number> = {
  name: 'memory-limit',
  value: 'SIZE',
  fallback: 'what can be seen',
  meaning: 'a memory limit that cannot be seen from inside; the tightest counts',
  expected: 'a size of at least 1MiB, such as 512MiB or 536870912',
  parse: (text) => within(parseSize(text), MIB, MOST_BYTES),
};

export const logLevel: Flag<Level> = {
  name: 'log-level',
  value: LEVELS.join('|'),
  fallback: 'warn, info in a dry run',
  meaning: 'how much is said on stderr',
  expected: LEVELS.join(', '),
  parse: (text) => LEVELS.find((level) => level === text),
};

export const logFormat: Flag<'text' | 'json'> = {
  name: 'log-format',
  value: 'text|json',
  fallback: 'text',
  meaning: 'form of the log, and of what a dry run shows',
  expected: 'text or json',
  parse: (text) => (text === 'text' || text === 'json' ? text : undefined),
};

/** What a run says of itself at its end: how, or the file for the JSON line. */
export type ReceiptForm = 'json' | 'text' | 'none' | { readonly file: string };

export const receipt: Flag<ReceiptForm> = {
  name: 'receipt',
  value: 'json|text|none|FILE',
  fallback: 'none; with a job json, text where stderr is a terminal',
  meaning: 'say at the end of the run what it took and what would do, on stderr or in a file',
  expected: 'json, text, none or a file, which has a slash or a dot in its name',
  parse: (text) => {
    if (text === 'json' || text === 'text' || text === 'none') return text;
    return /[/.]/.test(text) ? { file: text } : undefined;
  },
};

export const report: Flag<string> = {
  name: 'report',
  value: 'FILE.html|FILE.json|s3://BUCKET/KEY',
  fallback: 'none',
  meaning: 'the run as one page, or as JSON, written at its end',
  expected: 'a name that ends in .html or .json, in a folder or as s3://BUCKET/KEY',
  parse: (text) => {
    if (text.startsWith('s3://')) {
      return /^s3:\/\/[a-z0-9][a-z0-9.-]+[a-z0-9]\/.+\.(?:html|json)$/.test(text)
        ? text
        : undefined;
    }
    return /\.(?:html|json)$/.test(text) ? text : undefined;
  },
};

export const stopTimeout: Flag<number> = {
  name: 'stop-timeout',
  value: 'SECONDS',
  fallback: '10; 30 on ECS and Batch',
  meaning: 'with a job: when the container is killed after SIGTERM',
  expected: `a number of seconds from 1 to ${LONGEST_FLUSH}`,
  parse: seconds,
};

export const grace: Flag<number> = {
  name: 'grace',
  value: 'SECONDS',
  fallback: 'off',
  meaning: 'with a job: kill it so long after SIGTERM',
  expected: `a number of seconds from 1 to ${LONGEST_FLUSH}`,
  parse: seconds,
};

export const statusFile: Flag<string> = {
  name: 'status-file',
  value: 'FILE',
  fallback: 'none',
  meaning: 'keep a file that says how the agent is, for --healthy and dashboards',
  expected: 'a file',
  parse: (text) => text || undefined,
};

export const healthy: Flag<string> = {
  name: 'healthy',
  value: 'FILE',
  fallback: '',
  meaning: 'say by that file whether the agent is well, exit 0 if it is and 1 if not',
  expected: 'a file',
  parse: (text) => text || undefined,
};

export const maxAge: Flag<number> = {
  name: 'max-age',
  value: 'SECONDS',
  fallback: '3 periods of the agent, at least 180',
  meaning: 'with --healthy: the oldest that a well agent’s file and sample are',
  expected: `a whole number of seconds from 1 to ${LONGEST_AGE}`,
  parse: (text) => (/^\d+$/.test(text) ? within(Number(text), 1, LONGEST_AGE) : undefined),
};

export const dryRun: Switch = {
  name: 'dry-run',
  short: 'd',
  aliases: ['dryrun'],
  meaning: 'show what would be sent, send nothing; needs no credentials, region or network',
};
export const once: Switch = {
  name: 'once',
  meaning: 'measure one period from now, publish it as one window, exit',
};
export const compatFraction: Switch = {
  name: 'compat-fraction',
  meaning: 'publish 0 to 1 instead of 0 to 100, as cloudwatch_metrics_agent did',
};
export const entity: Switch = {
  name: 'entity',
  meaning: 'tell CloudWatch which ECS service, EKS workload or EC2 instance the metrics are of',
};

export const excludeSelf: Switch = {
  name: 'exclude-self',
  meaning: 'take the agent’s own CPU time and memory out',
};
export const explain: Switch = {
  name: 'explain',
  meaning: 'say what would be measured, from which files, and why nothing else; then exit',
};
export const check: Switch = {
  name: 'check',
  meaning: 'look whether publishing would work and what is in its way, exit; with --explain, both',
};
export const checkPublish: Switch = {
  name: 'check-publish',
  meaning: '--check, and send one real datum named AgentCheck',
};
export const help: Switch = { name: 'help', short: 'h', meaning: 'this text', argumentOnly: true };
export const version: Switch = { name: 'version', meaning: 'the version', argumentOnly: true };

/** The one table that drives parsing, help, environment, docs/flags.md, the man page and completions. */
export const FLAGS: FlagTable = {
  flags: [
    namespace,
    service,
    period,
    interval,
    dimension,
    metrics,
    statistics,
    region,
    output,
    endpointUrl,
    sign,
    header,
    profile,
    caBundle,
    root,
    scope,
    memoryMode,
    cpuBase,
    flushTimeout,
    stopTimeout,
    grace,
    receipt,
    report,
    jitter,
    buffer,
    spool,
    spoolLimit,
    cpuLimit,
    memoryLimit,
    logLevel,
    logFormat,
    statusFile,
    healthy,
    maxAge,
  ],
  switches: [
    dryRun,
    once,
    explain,
    check,
    checkPublish,
    entity,
    excludeSelf,
    compatFraction,
    help,
    version,
  ],
  pairs: [{ name: 'tags', target: dimension.name }],
};

function seconds(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? within(Number(text), 1, LONGEST_FLUSH) : undefined;
}

function within(value: number, least: number, most: number): number | undefined {
  return value >= least && value <= most ? value : undefined;
}

/** Cores of `0.5` or, as Kubernetes writes them, `500m`. */
function parseCores(text: string): number | undefined {
  const [, number, milli] = /^(\d{1,7}(?:\.\d{1,6})?)(m)?$/.exec(text) ?? [];
  const cores = Number(number) / (milli === undefined ? 1 : 1000);
  return cores > 0 ? cores : undefined;
}

/** Bytes of `4MiB`, `4M` or `4194304`; NaN where it is no size. */
export function parseSize(text: string): number {
  const [, number, unit = ''] = /^(\d{1,15})(?:([KMG])i?B?)?$/.exec(text) ?? [];
  return Number(number) * (SIZE_UNITS[unit] ?? Number.NaN);
}

function parseDimension(text: string): Dimension | undefined {
  const at = text.indexOf('=');
  const [Name, Value] = [text.slice(0, at), text.slice(at + 1)];
  const isGood = at > 0 && isDimensionName(Name) && isDimensionValue(Value);
  return isGood && (isToken(Value) || !Value.startsWith('@')) ? { Name, Value } : undefined;
}

/** Headers that are of the transport, or of the signature. */
const OWN_HEADER =
  /^(?:host|content-(?:type|length|encoding)|transfer-encoding|connection|expect|user-agent|x-amz-.*)$/;

function parseHeader(text: string): readonly [string, string] | undefined {
  const [, name = '', value = ''] =
    /^([\w!#$%&'*+.^`|~-]+)=([!-~](?:[ -~]*[!-~])?)$/.exec(text) ?? [];
  return name === '' || OWN_HEADER.test(name.toLowerCase())
    ? undefined
    : [name.toLowerCase(), value];
}

function parseScope(text: string): Scope | undefined {
  const [, cgroup] = /^cgroup:(\/.*)$/.exec(text) ?? [];
  if (cgroup !== undefined) return cgroup.split('/').includes('..') ? undefined : { cgroup };
  return (['auto', 'host', 'container', 'task'] as const).find((name) => name === text);
}
