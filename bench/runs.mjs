// The experiments. Each gives, for each program, a list of what it measured; medians are for others.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { start, stop } from './children.mjs';
import { median, readMemory, readUsage } from './measure.mjs';

const SECOND_MS = 1000;
/** No publication falls into an experiment on sampling. */
const NEVER_MS = 3_600_000;
/** What an answer needs to arrive and to be worked off. */
const SETTLED_MS = 250;

/**
 * CPU per sample, of the start, and switches a second, without publications. All copies run at the same
 * time, so that what else this machine does befalls them alike, and evenly apart, so that they do not
 * meet.
 */
export async function measureSampling(programs, { intervalMs, rounds, copies, segments, samples }) {
  const runs = [];
  const lane = async (program, index, lanes) => {
    await sleep((index * intervalMs) / lanes.length);
    // One window from start to stop, or it would end with the hour.
    const options = { intervalMs, periodMs: NEVER_MS, flags: ['--once'] };
    const run = await program.start(options);
    const fromMs = performance.now();
    await sleep(SECOND_MS);
    const readings = [readUsage(run.pid)];
    for (let segment = 0; segment < segments; segment += 1) {
      await sleep(samples * intervalMs);
      readings.push(readUsage(run.pid));
    }
    await stop(run);
    runs.push({ name: program.name, ...samplingFigures(readings, intervalMs, fromMs) });
  };
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? programs : [...programs].reverse();
    await Promise.all(
      Array.from({ length: copies }, () => order)
        .flat()
        .map(lane),
    );
  }
  return runs;
}

/**
 * The median segment is what a sample costs; whatever is above that belongs to the start, and is paid once:
 * loading, compiling, and V8's first full collection, 20 ms some time after its first scavenge.
 */
function samplingFigures(readings, intervalMs, fromMs) {
  const rates = readings.slice(1).map((after, index) => {
    const before = readings[index];
    const elapsedMs = after.atMs - before.atMs;
    return {
      cpu: (after.cpuNs - before.cpuNs) / elapsedMs,
      switches: (after.switches - before.switches) / elapsedMs,
    };
  });
  const cpu = median(rates.map((rate) => rate.cpu));
  const last = readings.at(-1);
  return {
    cpuNs: cpu * intervalMs,
    startNs: last.cpuNs - cpu * (last.atMs - fromMs),
    switches: median(rates.map((rate) => rate.switches)) * SECOND_MS,
  };
}

/** Memory after 10 samples and a publication a second, that many seconds long. */
export function measureMemory(programs, { rounds, count }) {
  return inRounds(programs, rounds, async (program) => {
    const run = await program.start({ intervalMs: 100, periodMs: SECOND_MS });
    await settledUsage(run, count);
    const figures = readMemory(run.pid);
    await stop(run);
    return figures;
  });
}

/**
 * CPU of publications, one a second. A sample falls to each; its share, `sampleNs` by program, is
 * subtracted. The agent publishes at the first tick of a second: begun evenly apart, no two programs
 * meet.
 */
export function measurePublishing(programs, { rounds, from, count, sampleNs }) {
  return inRounds(programs, rounds, async (program, index) => {
    await untilPartOfSecond(((index + 1) * SECOND_MS) / (programs.length + 1));
    const run = await program.start({ intervalMs: SECOND_MS, periodMs: SECOND_MS });
    const sampling = sampleNs[program.name] / (program.intervalMs ?? SECOND_MS);
    const spent = (before, after) =>
      after.cpuNs - before.cpuNs - (after.atMs - before.atMs) * sampling;
    await sleep(SECOND_MS * 0.7);
    if (run.inbox.count > 0) throw new Error(`${program.name} published too early`);
    const before = readUsage(run.pid);
    const first = await settledUsage(run, 1);
    const later = await settledUsage(run, from);
    const last = await settledUsage(run, count);
    await stop(run);
    return { firstNs: spent(before, first), laterNs: spent(later, last) / (count - from) };
  });
}

async function inRounds(programs, rounds, measure) {
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    const lane = async (program, index) => {
      runs.push({ name: program.name, ...(await measure(program, index)) });
    };
    await Promise.all(programs.map(lane));
  }
  return runs;
}

async function settledUsage(run, publications) {
  await run.inbox.reaches(publications);
  await sleep(SETTLED_MS);
  return readUsage(run.pid);
}

function untilPartOfSecond(partMs) {
  return sleep((SECOND_MS + partMs - (Date.now() % SECOND_MS)) % SECOND_MS);
}

/**
 * From the spawn to the agent's line about its source, which it writes right after its first reading,
 * and from the spawn to the end of `node -e 0`, in turns. In ms.
 */
export async function measureStartUp(agentFile, env, rounds) {
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    const fromBareMs = performance.now();
    const bare = start('node', process.execPath, ['-e', '0'], env);
    bare.asked = true;
    await bare.ended;
    runs.push({ name: 'bare', ms: performance.now() - fromBareMs });
    const fromMs = performance.now();
    const args = [agentFile, '--dry-run', '--log-level', 'info'];
    const agent = start('dry run', process.execPath, args, env);
    await new Promise((resolve) => {
      agent.child.stderr.on('data', () => agent.said.includes('scope=host') && resolve());
    });
    runs.push({ name: 'agent', ms: performance.now() - fromMs });
    await stop(agent, 'SIGKILL');
  }
  return runs;
}

/** From the spawn to the job's first byte, in turns: alone, behind a bare Node, behind the agent. In ms. */
export async function measureJobStart(agentFile, env, rounds) {
  const job = ['echo', 'here'];
  const bare = `require('child_process').spawn('${job[0]}', ['${job[1]}'], { stdio: 'inherit' })`;
  const around = [agentFile, '--dry-run', '--receipt', 'none', '--', ...job];
  const ways = {
    alone: job,
    bare: [process.execPath, '-e', bare],
    agent: [process.execPath, ...around],
  };
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, [file, ...args]] of Object.entries(ways)) {
      const fromMs = performance.now();
      const program = start(name, file, args, env);
      program.asked = true;
      await once(program.child.stdout, 'data');
      runs.push({ name, ms: performance.now() - fromMs });
      await program.ended;
    }
  }
  return runs;
}

/**
 * SIGTERM to the end, in ms. The last window is published meanwhile, by a new connection (`freshMs`) or
 * by the one that has been used (`keptMs`).
 */
export async function measureExit(programs, rounds) {
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const program of programs) {
      const freshMs = await exitOf(program, 0);
      const keptMs = await exitOf(program, 1);
      runs.push({ name: program.name, freshMs, keptMs });
    }
  }
  return runs;
}

async function exitOf(program, publications) {
  const rhythm =
    publications === 0 ? { periodMs: NEVER_MS, flags: ['--once'] } : { periodMs: SECOND_MS };
  const run = await program.start({ intervalMs: 100, ...rhythm });
  await run.inbox.reaches(publications);
  await sleep(publications === 0 ? SECOND_MS : SETTLED_MS);
  const { count } = run.inbox;
  const ms = await stop(run);
  await run.inbox.reaches(count + 1);
  return ms;
}
