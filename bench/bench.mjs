// Over 200 lines: each experiment, and the table that it fills.
// `npm run bench`: what the agent costs, measured against a floor, as Markdown. `--quick` is a smoke
// run of half a minute. CRATE=path adds the Rust crate where it is not on PATH.
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { gzipSync } from 'node:zlib';
import { death } from './children.mjs';
import { median } from './measure.mjs';
import { CRATE, openPrograms } from './programs.mjs';
import { measurePut, putLine } from './put.mjs';
import {
  measureExit,
  measureJobStart,
  measureMemory,
  measurePublishing,
  measureSampling,
  measureStartUp,
} from './runs.mjs';

const FULL = {
  fast: { intervalMs: 100, rounds: 2, copies: 3, segments: 9, samples: 20 },
  slow: { intervalMs: 900, rounds: 1, copies: 4, segments: 7, samples: 7 },
  memory: { rounds: 2, count: 20 },
  publishing: { rounds: 2, from: 11, count: 21 },
  startUps: 21,
  exits: 10,
  puts: 5,
};
const QUICK = {
  fast: { intervalMs: 100, rounds: 1, copies: 1, segments: 4, samples: 5 },
  slow: { intervalMs: 900, rounds: 1, copies: 2, segments: 4, samples: 2 },
  memory: { rounds: 1, count: 5 },
  publishing: { rounds: 1, from: 2, count: 5 },
  startUps: 3,
  exits: 2,
  puts: 1,
};
const HOUR = { samples: 4000, publications: 60 };
const NS_PER_SECOND = 1e9;

await Promise.race([main(process.argv.includes('--quick') ? QUICK : FULL), death]);
process.exit();

async function main(plan) {
  const programs = await openPrograms();
  const { agent, scoped, floor, scopedFloor, crate, agentFile, environment } = programs;
  const pair = [agent, floor];
  const all = crate ? [...pair, crate] : pair;
  tell('CPU per sample at 0.1 s');
  const fast = await measureSampling(pair, plan.fast);
  tell('CPU per sample of a container');
  const scopes = await measureSampling([scoped, scopedFloor], plan.fast);
  tell('CPU per sample of a container at 0.9 s');
  const slowScopes = await measureSampling([scoped, scopedFloor], plan.slow);
  tell('CPU per sample at 0.9 s');
  const slow = await measureSampling(all, plan.slow);
  const sampleNs = Object.fromEntries(all.map(({ name }) => [name, middle(slow, name, 'cpuNs')]));
  tell('publications and memory');
  const [memory, publishing] = await Promise.all([
    measureMemory(all, plan.memory),
    measurePublishing(all, { ...plan.publishing, sampleNs }),
  ]);
  tell('start-up');
  const startUp = await measureStartUp(agentFile, environment, plan.startUps);
  tell('a job’s start');
  const jobStart = await measureJobStart(agentFile, environment, plan.startUps);
  tell('exit');
  const exit = await measureExit(crate ? [agent, crate] : [agent], plan.exits);
  tell('put of the library');
  const put = await measurePut(environment, plan.puts);
  const names = all.map(({ name }) => name);
  print([
    ...machineLines(),
    '',
    ...comparisonTable(names, { fast, slow, memory, publishing }, plan.memory.count),
    '',
    ...agentTable(agentFile, startUp, jobStart),
    '',
    ...exitTable(exit),
    '',
    ...hourLines(names, slow, publishing),
    scopeLine(scopes, '0.1'),
    scopeLine(slowScopes, '0.9'),
    putLine(put),
    ...(crate ? [] : [`${CRATE} is not here: \`cargo install ${CRATE}\`, or CRATE=path, adds it.`]),
  ]);
}

function comparisonTable(names, { fast, slow, memory, publishing }, count) {
  const micro = (ns) => `${(ns / 1e3).toFixed(0)} µs`;
  const mega = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  const each = (value) => value.toFixed(2);
  const nano = (ns) => milli(ns / 1e6);
  const rows = [
    ['CPU per sample at 0.1 s', fast, 'cpuNs', micro],
    ['CPU per sample at 0.9 s', slow, 'cpuNs', micro],
    ['context switches a second at 0.9 s', slow, 'switches', each],
    ['CPU of the start', slow, 'startNs', nano],
    ['CPU of the first publication', publishing, 'firstNs', nano],
    ['CPU of a later publication', publishing, 'laterNs', nano],
    [`anonymous memory after ${count} publications`, memory, 'anonymous', mega],
    [`resident memory after ${count} publications`, memory, 'resident', mega],
  ];
  return table(
    ['', ...names, 'agent / floor', 'agent − floor'],
    rows.map(([title, runs, key, shown]) => {
      const [ours, floors] = ['agent', 'floor'].map((name) => middle(runs, name, key));
      const figures = names.map((name) => middle(runs, name, key));
      const cells = figures.map((figure) => (Number.isNaN(figure) ? '' : shown(figure)));
      return [title, ...cells, (ours / floors).toFixed(2), shown(ours - floors)];
    }),
  );
}

function agentTable(agentFile, startUp, jobStart) {
  const [alone, behindNode, behindUs] = ['alone', 'bare', 'agent'].map((name) =>
    middle(jobStart, name, 'ms'),
  );
  const bundle = readFileSync(agentFile);
  const bare = middle(startUp, 'bare', 'ms');
  const over = middle(startUp, 'agent', 'ms') - bare;
  return table(
    ['', 'agent'],
    [
      ['bundle', `${bundle.length} bytes, ${gzipSync(bundle).length} gzip`],
      ['start to the first reading', `${milli(over)} over \`node -e 0\`, ${milli(bare)}`],
      [
        'a job’s start behind `--`',
        `${milli(behindUs - alone)} later than alone, ${milli(behindUs - behindNode)} later than behind a bare Node`,
      ],
    ],
  );
}

function exitTable(exit) {
  const names = [...new Set(exit.map(({ name }) => name))];
  const times = (name, key) => {
    const most = Math.max(...valuesOf(exit, name, key));
    return `${milli(middle(exit, name, key))}, at most ${milli(most)}`;
  };
  return table(
    ['SIGTERM to the end', ...names],
    [
      ['by a new connection', ...names.map((name) => times(name, 'freshMs'))],
      ['by the kept connection', ...names.map((name) => times(name, 'keptMs'))],
    ],
  );
}

function hourLines(names, slow, publishing) {
  return names.map((name) => {
    const sampling = HOUR.samples * middle(slow, name, 'cpuNs');
    const first = middle(publishing, name, 'firstNs');
    const later = (HOUR.publications - 1) * middle(publishing, name, 'laterNs');
    const seconds = (ns) => (ns / NS_PER_SECOND).toFixed(2);
    const hour = seconds(sampling + first + later);
    const start = seconds(middle(slow, name, 'startNs'));
    return `- ${name}: an hour at 0.9 s and 60 s costs ${hour} s of CPU, after ${start} s to start`;
  });
}

function scopeLine(scopes, interval) {
  const [ours, floors] = ['container', 'container floor'].map((name) =>
    middle(scopes, name, 'cpuNs'),
  );
  const micro = (ns) => `${(ns / 1e3).toFixed(0)} µs`;
  const ratio = (ours / floors).toFixed(2);
  return `- a sample of a container (cgroup files) costs ${micro(ours)} at ${interval} s, ${ratio} of its floor of ${micro(floors)}`;
}

function machineLines() {
  const [{ model }] = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const machine = `${cpus().length} × ${model}, ${memory} GiB, Linux ${release()} ${arch()}`;
  return [`Node ${process.version}, ${machine}; medians.`];
}

function middle(runs, name, key) {
  const values = valuesOf(runs, name, key);
  return values.length === 0 ? Number.NaN : median(values);
}

function valuesOf(runs, name, key) {
  return runs.filter((run) => run.name === name).map((run) => run[key]);
}

function milli(ms) {
  return `${ms.toFixed(1)} ms`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_, index) => (index === 0 ? '---' : '--:'))),
    ...rows.map(line),
  ];
}

function print(lines) {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function tell(what) {
  process.stderr.write(`measuring: ${what}\n`);
}
