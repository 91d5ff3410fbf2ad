// What the kernel knows of a process. Linux alone.
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ is 100 on every machine that Node runs on. */
const NS_PER_TICK = 1e7;
const KIB = 1024;

/** CPU time in ns and context switches of all threads so far, and when they were read (ms). */
export function readUsage(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const switches = threads.map((id) => readSwitches(`/proc/${pid}/task/${id}/status`));
  return { atMs: performance.now(), cpuNs: readCpuNs(pid, threads), switches: sum(switches) };
}

/** Exact where the kernel counts for its scheduler, else in steps of 10 ms. */
function readCpuNs(pid, threads) {
  const exact = sum(threads.map((id) => readRunNs(`/proc/${pid}/task/${id}/schedstat`)));
  return exact > 0 ? exact : readTicks(pid) * NS_PER_TICK;
}

/** `time on the CPU, time waiting for it, number of turns`; nothing on kernels that do not count. */
function readRunNs(file) {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[0]);
  } catch (error) {
    if (error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** utime and stime: fields 14 and 15, counted behind the name, which may hold anything. */
function readTicks(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function readSwitches(file) {
  const text = readFileSync(file, 'utf8');
  return keyed(text, 'voluntary_ctxt_switches') + keyed(text, 'nonvoluntary_ctxt_switches');
}

/** Anonymous and whole resident memory, in bytes. The status file's own sums lag behind by pages. */
export function readMemory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return { anonymous: keyed(text, 'Anonymous') * KIB, resident: keyed(text, 'Rss') * KIB };
}

function keyed(text, key) {
  const found = new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text);
  if (found === null) throw new Error(`no line "${key}:"`);
  return Number(found[1]);
}

export function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

export function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const upper = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[upper] : (sorted[upper - 1] + sorted[upper]) / 2;
}
