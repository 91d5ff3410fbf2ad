// The main program of a container in the lab: makes its load, then runs a command beside that, such as
// the agent, and ends with it. Bundled to plain JavaScript.
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export interface Load {
  /** Threads that never rest. */
  readonly spin?: number;
  /** They begin after the agent's start line, which would come late under a quota. */
  readonly spinLater?: boolean;
  /** Memory that is written to and held. */
  readonly pinMiB?: number;
  /** A file that is read once, from start to end. */
  readonly read?: string;
  /** A file that is written, of `writeMiB`. */
  readonly write?: string;
  readonly writeMiB?: number;
  /** A command that runs as long as the other. */
  readonly beside?: readonly string[];
  /** After the agent's start line a child takes memory until the kernel ends it; then the agent may end. */
  readonly hog?: boolean;
}

const MIB = 2 ** 20;
/** The first that the kernel chooses when memory is out, from before it has loaded anything. */
const FIRST_VICTIM = 'echo 1000 >/proc/self/oom_score_adj; exec "$0" -e "$1"';
const HOG = `const held = [];
for (;;) held.push(Buffer.alloc(4 * ${MIB}, 1));`;
/** Waits for the gate, then never rests. */
const SPINNER = `Atomics.wait(require('node:worker_threads').workerData, 0, 0);
for (;;);`;
/** The agent has taken its baseline when it says where its numbers come from. */
const BEGUN = /scope=/;
const SAMPLE = '"type":"sample"';
/** The first sample after the hog's end may have been under way. */
const SAMPLES_AFTER_HOG = 2;

main();

function main(): void {
  const [, , text = '{}', ...command] = process.argv;
  const load: Load = JSON.parse(text);
  const held = Buffer.alloc((load.pinMiB ?? 0) * MIB, 1);
  if (load.read !== undefined) readThrough(load.read);
  if (load.write !== undefined) writeFileSync(load.write, Buffer.alloc((load.writeMiB ?? 0) * MIB));
  const gate = new Int32Array(new SharedArrayBuffer(4));
  for (let thread = 0; thread < (load.spin ?? 0); thread += 1) {
    new Worker(SPINNER, { eval: true, workerData: gate });
  }
  if (load.spinLater !== true) open(gate);
  const [besideCommand = '', ...besideArgv] = load.beside ?? [];
  const beside =
    besideCommand === '' ? undefined : spawn(besideCommand, besideArgv, { stdio: 'ignore' });
  // The timer keeps a load without a command here, and what it pinned referenced.
  setInterval(() => held, MIB);
  if (command.length === 0) {
    process.stdout.write('ready\n');
    return;
  }
  const [file = ''] = command;
  const child = runAgent(command, () => {
    open(gate);
    if (load.hog === true) endAfterHog(child);
  });
  child.on('close', (code, signal) => {
    if (signal !== null) process.stderr.write(`${file} was ended by ${signal}\n`);
    beside?.kill('SIGTERM');
    process.exit(code ?? 1);
  });
}

function open(gate: Int32Array): void {
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
}

function runAgent(command: readonly string[], begun: () => void): ChildProcess {
  const [file = '', ...argv] = command;
  const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(process.stdout);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text);
    const before = BEGUN.test(said);
    said += text;
    if (!before && BEGUN.test(said)) begun();
  });
  return child;
}

/** However long the kernel takes, the agent's window lasts until it has seen the end of the hog. */
function endAfterHog(agent: ChildProcess): void {
  spawn('sh', ['-c', FIRST_VICTIM, process.execPath, HOG]).on('exit', () => {
    let samples = 0;
    agent.stdout?.on('data', (text: Buffer) => {
      samples += text.toString().split(SAMPLE).length - 1;
      if (samples >= SAMPLES_AFTER_HOG) agent.kill('SIGTERM');
    });
  });
}

/** It stays open: with the last descriptor of a disk the kernel drops its page cache. */
function readThrough(path: string): void {
  const buffer = Buffer.alloc(MIB);
  const file = openSync(path, 'r');
  while (readSync(file, buffer) > 0);
}
