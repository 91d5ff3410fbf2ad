import type { FlagTable } from '../src/config/flags.ts';
import { twinOf } from '../src/config/flags.ts';
import { groupsOf, type Row } from './words.ts';

const PROGRAM = 'cloudwatch-metrics-agent';
/** Characters of a line of roff. */
const LINE = 78;
/** When these texts were written; not today, so that the same sources make the same bytes. */
const WRITTEN = '2026-11-25';

/** The manual page in man(7). */
export function manPage(version: string, table: FlagTable): string {
  const options = groupsOf(table).map(
    ([title, rows]) => `.SS ${plain(title)}\n${rows.map(entry).join('')}`,
  );
  return filled(`${beforeOptions(version)}${options.join('')}${afterOptions()}`);
}

function beforeOptions(version: string): string {
  // The section's usual name has no room between titles that long.
  return `.\\" Made from the flag table by dev/shell.ts.
.TH ${PROGRAM.toUpperCase()} 1 ${WRITTEN} "${PROGRAM} ${version}" "Manual"
.SH NAME
${bold(PROGRAM).replace(/^\\fB|\\fR$/g, '')} \\- CPU and memory to Amazon CloudWatch
.SH SYNOPSIS
${bold(PROGRAM)} ${bold('--dry-run')}
.br
${bold(PROGRAM)} ${bold('-n')} \\fINS\\fR ${bold('-s')} \\fINAME\\fR [\\fIflags\\fR]
.br
${bold(PROGRAM)} ${bold('-n')} \\fINS\\fR ${bold('-s')} \\fINAME\\fR [\\fIflags\\fR] ${bold('--')} \\fICOMMAND\\fR ...
.SH DESCRIPTION
It measures CPU and memory of a container, a task, a job or a machine every 0.9 seconds, against the limit that counts there.
Each period it sends medians and maxima to Amazon CloudWatch.
Told to stop, it sends what is left.
.PP
Behind ${bold('--')} stands the command of a job.
It gets all signals, and its exit code is passed on.
.SH OPTIONS
`;
}

function afterOptions(): string {
  return `.SH EXIT STATUS
.TP
0
All was sent, or is in the spool.
.TP
1
It failed, data was lost at the end, or ${bold('--once')} measured nothing.
.TP
2
A setting is wrong.
.PP
With a job, the job's own; 128 and the signal where a signal ended it; 127 where it was not found, 126 where it is not executable.
.SH ENVIRONMENT
.TP
${bold(twinOf('NAME'))}
Each flag has a twin: ${bold('METRICS_AGENT_PERIOD=60')} is ${bold('--period 60')}.
A flag beats its twin, and that beats the default.
.TP
${bold('AWS_REGION')}, ${bold('AWS_PROFILE')}, ${bold('AWS_ACCESS_KEY_ID')} ...
As for the AWS SDKs.
.SH SIGNALS
.TP
SIGTERM, SIGINT, SIGHUP
The last window goes out within ${bold('--flush-timeout')}, then it ends.
.TP
SIGUSR1
One status line on stderr, where there is no job.
.SH EXAMPLES
See what would be sent; this needs no credentials, region or network:
${example(`${PROGRAM} --dry-run`)}.PP
Whether publishing would work, and what is in its way:
${example(`${PROGRAM} --check`)}.PP
A job:
${example(`${PROGRAM} -n Jobs -s train -- python train.py`)}`;
}

/** No line of text is longer than mandoc likes, and none begins as a request does. */
function filled(page: string): string {
  const lines: string[] = [];
  for (const line of page.split('\n')) {
    if (line.startsWith('.')) {
      lines.push(line);
      continue;
    }
    lines.push('');
    for (const word of line.split(' ')) {
      const last = lines.pop() ?? '';
      const longer = last === '' ? word : `${last} ${word}`;
      if (longer.length <= LINE) lines.push(longer);
      else lines.push(last, word.replace(/^(?=[.'])/, '\\&'));
    }
  }
  return lines.join('\n');
}

function example(command: string): string {
  return `.PP\n.RS\n.nf\n${plain(command)}\n.fi\n.RE\n`;
}

function entry(row: Row): string {
  const dash = row.short === undefined ? '' : `${bold(`-${row.short}`)}, `;
  const value = 'value' in row ? ` \\fI${plain(row.value)}\\fR` : '';
  const fallback =
    'fallback' in row && row.fallback !== ''
      ? `Default: ${plain(row.fallback.replace(/^default: /, ''))}.\n`
      : '';
  return `.TP\n${dash}${bold(`--${row.name}`)}${value}\n${sentence(row.meaning)}\n${fallback}`;
}

function sentence(text: string): string {
  const first = text.startsWith('-') ? text.charAt(0) : text.charAt(0).toUpperCase();
  return `${plain(first + text.slice(1))}.`;
}

function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

/** Text that roff takes as it stands. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(aq')
    .replaceAll('…', '...')
    .replaceAll('`', '\\(ga')
    .replaceAll(/[^ -~\n]/gu, (sign) => {
      const hex = (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      return `\\[u${hex}]`;
    })
    .replace(/^(?=[.'])/, '\\&');
}
