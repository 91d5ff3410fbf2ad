import { outcomeOf, type RunFacts } from './facts.ts';
import { notesOf, throttledPercent } from './notes.ts';
import { bytesText, rounded } from './sizes.ts';

const BAR_WIDTH = 30;
const LABEL_WIDTH = 14;

/** The receipt for eyes: the same numbers, with bars. @param isUtf8 what the terminal can show */
export function receiptBlock(facts: RunFacts, isUtf8: boolean): string {
  const { tallied } = facts;
  const lines = [headline(facts)];
  if (tallied !== undefined && tallied.samples > 0) {
    const { cpuP95Cores, cpuPeakCores, cpuMedianCores, cpuLimitCores, heldPeak } = tallied;
    lines.push(
      row('CPU p95', cpuP95Cores, cpuLimitCores, coresText, isUtf8),
      row('memory held', heldPeak.value, tallied.memoryLimitBytes, bytesText, isUtf8),
      row('working set', tallied.workingSetPeak.value, tallied.memoryLimitBytes, bytesText, isUtf8),
      plain('CPU', [
        part('median', cpuMedianCores, coresText),
        part('peak', cpuPeakCores.value, coresText),
        part('used', facts.cpuSeconds, (value) => `${rounded(value)} s`),
        part('throttled', throttledPercent(facts), (value) => `${rounded(value)} %`),
      ]),
    );
  }
  lines.push(
    plain('kernel’s peak', [part('', facts.kernelPeak.value, bytesText)]),
    plain('disk', [
      part('read', facts.blockRead, bytesText),
      part('written', facts.blockWritten, bytesText),
    ]),
    plain('network', [
      part('received', facts.networkReceived, bytesText),
      part('sent', facts.networkTransmitted, bytesText),
    ]),
    plain('figures', [
      `${tallied?.samples ?? 0} samples`,
      `windows: ${facts.windowsSent} sent, ${facts.windowsSpooled} spooled, ${facts.windowsLost} lost`,
    ]),
    ...notesOf(facts).map((note) => `  ${isUtf8 ? '→' : '>'} ${note}`),
  );
  return lines.filter((line) => line !== '').join('\n');
}

function headline(facts: RunFacts): string {
  const how = {
    succeeded: 'succeeded',
    failed: `failed (${facts.signal ?? `exit code ${facts.exitCode}`})`,
    stopped: `stopped (${facts.signal})`,
    notStarted: `could not be started (exit code ${facts.exitCode})`,
  };
  return `${facts.command} ${how[outcomeOf(facts)]} after ${rounded(facts.durationMs / 1000)} s`;
}

function row(
  label: string,
  value: number,
  limit: number,
  text: (value: number) => string,
  isUtf8: boolean,
): string {
  if (!(value >= 0)) return '';
  const head = `  ${label.padEnd(LABEL_WIDTH)}`;
  if (!(limit > 0)) return `${head}${text(value)}`;
  const share = Math.min(1, value / limit);
  const full = Math.round(share * BAR_WIDTH);
  const bar = (isUtf8 ? '█' : '#').repeat(full) + (isUtf8 ? '░' : '.').repeat(BAR_WIDTH - full);
  return `${head}${bar} ${Math.round(share * 100)} % (${text(value)} of ${text(limit)})`;
}

function plain(label: string, parts: readonly string[]): string {
  const there = parts.filter((one) => one !== '');
  return there.length === 0 ? '' : `  ${label.padEnd(LABEL_WIDTH)}${there.join(', ')}`;
}

function part(name: string, value: number, text: (value: number) => string): string {
  if (!(value >= 0)) return '';
  return name === '' ? text(value) : `${name} ${text(value)}`;
}

function coresText(value: number): string {
  return `${rounded(value)} cores`;
}
