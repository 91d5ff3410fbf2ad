// Over 200 lines: one page, whose parts are to be read beside its style.
import { type Chart, chartSvg } from './chart.ts';
import { stretchesOf } from './course.ts';
import { outcomeOf, type RunFacts } from './facts.ts';
import type { Bucket, Folds } from './folds.ts';
import { notesOf } from './notes.ts';
import type { Receipt } from './receipt.ts';
import { bytesText, rounded } from './sizes.ts';

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--page:#fff;--rule:#d0d7de;--band:#1f6feb;--beside:#57606a;--limit:#a40e26;--out:#9a6700}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--page:#0d1117;--rule:#30363d;--band:#58a6ff;--beside:#9da7b3;--limit:#ff7b72;--out:#d29922}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0}
.soft{color:var(--soft)}
figure{margin:0}svg{display:block;width:100%;height:10rem;border:1px solid var(--rule)}
path{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}
.band{fill:var(--band);fill-opacity:.45;stroke:var(--band)}.beside{stroke:var(--beside);stroke-dasharray:2 2}
.limit{stroke:var(--limit);stroke-dasharray:6 4}.out{stroke:var(--out)}.oom{stroke:var(--limit);stroke-width:2.5}
.axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.85rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.15rem .75rem .15rem 0;text-align:left;border-bottom:1px solid var(--rule);font-weight:400}thead th{font-weight:600}
@media print{body{max-width:none}details{display:block}}
`;

/** The run as one page that needs nothing but itself. */
export function reportPage(facts: RunFacts, receipt: Receipt, folds: Folds): string {
  const title = `${escaped(facts.command)}: ${outcomeOf(facts)}`;
  const notes = notesOf(facts).map((note) => `<li>${escaped(note)}</li>`);
  const start = new Date(facts.startMs).toISOString();
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title><style>${STYLE}</style></head><body><main>
<h1>${title}</h1>
<p class="soft">${start}, ${durationText(facts.durationMs)}</p>
${notes.length === 0 ? '' : `<h2>Notes</h2><ul>${notes.join('')}</ul>`}
${picture('CPU, in cores', coresOf(facts, folds), folds, (value) => `${rounded(value)}`)}
${picture('Memory held', memoryOf(facts, folds), folds, bytesText)}
<h2>Over time</h2>
<div class="wide" tabindex="0" role="region" aria-label="Over time">${table(folds)}</div>
<h2>Receipt</h2>
<div class="wide" tabindex="0" role="region" aria-label="Receipt">${receiptTable(receipt)}</div>
</main></body></html>
`;
}

function picture(
  heading: string,
  chart: Chart | undefined,
  folds: Folds,
  text: (value: number) => string,
): string {
  if (chart === undefined) return `<h2>${heading}</h2><p class="soft">Nothing was measured.</p>`;
  const words = [
    `top ${text(chart.top)}`,
    chart.limit > 0 ? `limit ${text(chart.limit)}${chart.limit > chart.top ? ' (above)' : ''}` : '',
    chart.beside === undefined ? '' : 'dotted: working set',
    chart.underlinedMs.length > 0 ? 'underlined: the CPU quota ran out' : '',
    chart.marksMs.length > 0 ? 'upright: killed for want of memory' : '',
  ].filter((word) => word !== '');
  return `<h2>${heading}</h2><figure><figcaption class="soft">${words.join(' · ')}</figcaption>${chartSvg(chart)}
<div class="axis" aria-hidden="true"><span>0</span><span>${durationText(lengthOf(folds) / 2)}</span><span>${durationText(lengthOf(folds))}</span></div></figure>`;
}

function coresOf(facts: RunFacts, folds: Folds): Chart | undefined {
  const { tallied } = facts;
  const peak = tallied?.cpuPeakCores.value ?? Number.NaN;
  if (tallied === undefined || !(peak >= 0)) return undefined;
  const limit = tallied.cpuLimitCores;
  return {
    id: 'cpu',
    title: 'CPU over time',
    description: `Median ${rounded(tallied.cpuMedianCores)}, p95 ${rounded(tallied.cpuP95Cores)}, peak ${rounded(peak)} cores${limit > 0 ? ` of ${rounded(limit)}` : ''}.`,
    buckets: folds.buckets,
    series: 'cpuCores',
    lengthMs: lengthOf(folds),
    widthMs: folds.widthMs,
    top: topOf(peak, limit),
    limit,
    marksMs: [],
    underlinedMs: throttledSpans(folds),
  };
}

function memoryOf(facts: RunFacts, folds: Folds): Chart | undefined {
  const { tallied } = facts;
  const held = tallied?.heldPeak.value ?? Number.NaN;
  const used = tallied?.workingSetPeak.value ?? Number.NaN;
  if (tallied === undefined || !(held >= 0 || used >= 0)) return undefined;
  const limit = tallied.memoryLimitBytes;
  return {
    id: 'memory',
    title: 'Memory over time',
    description: `Held at most ${bytesText(held)}, working set at most ${bytesText(used)}${limit > 0 ? `, of ${bytesText(limit)}` : ''}.`,
    buckets: folds.buckets,
    series: held >= 0 ? 'memoryHeld' : 'memoryUsed',
    ...(held >= 0 ? { beside: 'memoryUsed' } : undefined),
    lengthMs: lengthOf(folds),
    widthMs: folds.widthMs,
    top: topOf(Math.max(held || 0, used || 0), limit),
    limit,
    marksMs: folds.oomKillsMs,
    underlinedMs: [],
  };
}

/** The limit is in the picture where the use came near it; else the use would be a flat line. */
function topOf(peak: number, limit: number): number {
  const least = Math.max(peak * 1.1, Number.MIN_VALUE);
  return limit > 0 && limit <= peak * 4 ? Math.max(least, limit * 1.05) : least;
}

const MUCH_THROTTLED = 5;

/** Neighbours together, so that a week of them is short. */
function throttledSpans({ buckets, widthMs }: Folds): readonly [number, number][] {
  const spans: [number, number][] = [];
  for (const { atMs } of buckets.filter(isThrottled)) {
    const last = spans.at(-1);
    if (last !== undefined && last[1] === atMs) last[1] = atMs + widthMs;
    else spans.push([atMs, atMs + widthMs]);
  }
  return spans;
}

function isThrottled({ folds }: Bucket): boolean {
  return (folds.cpuThrottled?.max ?? 0) > MUCH_THROTTLED;
}

function table(folds: Folds): string {
  const rows = stretchesOf(folds).map(({ fromMs, toMs, of }) => {
    const [cpu, held, used] = [of('cpuCores'), of('memoryHeld'), of('memoryUsed')];
    const cells = [
      cpu && `${rounded(cpu.mean)}`,
      cpu && `${rounded(cpu.max)}`,
      held && bytesText(held.max),
      used && bytesText(used.max),
    ].map((cell) => `<td>${cell ?? '–'}</td>`);
    return `<tr><th scope="row">${durationText(fromMs)} to ${durationText(toMs)}</th>${cells.join('')}</tr>`;
  });
  const heads = [
    'since the start',
    'cores, mean',
    'cores, most',
    'held, most',
    'working set, most',
  ];
  return `<table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function receiptTable(receipt: Receipt): string {
  const rows = Object.entries(receipt)
    .filter(([name]) => name !== 'notes' && name !== 'type' && name !== 'version')
    .map(([name, value]) => {
      return `<tr><th scope="row">${name}</th><td>${escaped(String(value))}</td></tr>`;
    });
  return `<table><thead><tr><th scope="col">field</th><th scope="col">value</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function lengthOf({ buckets, widthMs }: Folds): number {
  return Math.max(1, buckets.length) * widthMs;
}

/** `3 h 20 min`, `4 min 5 s`, `12 s` */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours === 0) return `${minutes} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
  return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => ENTITIES[char] ?? '');
}
