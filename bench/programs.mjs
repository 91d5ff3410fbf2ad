// What is measured, and how each program is started: the agent, the floor, and the Rust crate where
// it is installed. A started program is { name, pid, child, ended, inbox }.
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completed, start } from './children.mjs';
import { openSink } from './sink.mjs';

export const CRATE = 'cloudwatch_metrics_agent';
/** The crate has no flag for it. */
const CRATE_INTERVAL_MS = 900;

/** The server, the programs, and a folder of this run that goes with this process. */
export async function openPrograms() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const sink = await openSink();
  const authority = join(folder, 'ca.pem');
  writeFileSync(authority, sink.cert);
  const environment = environmentWith(authority);
  // Copied alone, as the Dockerfile does: the package.json around it decides how Node loads it.
  const agentFile = join(folder, 'agent.js');
  copyFileSync(pathOf('../dist/agent.js'), agentFile);
  const agent = agentProgram('agent', agentFile, environment, sink);
  // All of the machine's cgroup: what is read is the same at every level.
  const scope = ['--scope', 'cgroup:/'];
  const scoped = agentProgram('container', agentFile, environment, sink, scope);
  const request = join(folder, 'request.json');
  writeFileSync(request, JSON.stringify(await captureRequest(agent)));
  const floor = floorProgram('floor', request, environment, sink, HOST_READS);
  const scopedFloor = floorProgram('container floor', request, environment, sink, scopeReads());
  const crateFile = findCrate();
  const crate = crateFile && crateProgram(crateFile, environment, sink);
  return { agent, scoped, floor, scopedFloor, crate, agentFile, environment };
}

/** Nothing of this machine's own settings: a proxy or a CA bundle would be measured too. */
function environmentWith(authority) {
  return {
    PATH: process.env.PATH,
    AWS_ACCESS_KEY_ID: 'AKIDBENCH',
    AWS_SECRET_ACCESS_KEY: 'bench/secret',
    AWS_REGION: 'us-east-1',
    NODE_EXTRA_CA_CERTS: authority,
  };
}

function agentProgram(name, file, environment, sink, scope = []) {
  const names = ['--namespace', 'Bench', '--service', 'bench', ...scope];
  return program(name, sink, ({ url, intervalMs, periodMs, flags = [] }) => {
    const rhythm = ['--interval', `${intervalMs / 1000}`, '--period', `${periodMs / 1000}`];
    const args = [file, ...names, ...rhythm, '--endpoint-url', url, ...flags];
    return start(name, process.execPath, args, environment);
  });
}

/** What the agent reads of a host, and of the whole hierarchy, at each tick: file, bytes. */
const HOST_READS = ['/proc/stat', '256', '/proc/meminfo', '128'];
const UNIFIED_READS = ['cpu.stat', '512', 'memory.current', '64', 'memory.stat', '8192'];
const LEGACY_READS = [
  ...['cpuacct/cpuacct.usage', '64'],
  ...['memory/memory.usage_in_bytes', '64', 'memory/memory.stat', '8192'],
];

function scopeReads() {
  const mount = '/sys/fs/cgroup';
  const isUnified = existsSync(join(mount, 'cgroup.controllers'));
  const reads = isUnified ? UNIFIED_READS : LEGACY_READS;
  return reads.map((word, at) => (at % 2 === 0 ? join(mount, word) : word));
}

function floorProgram(name, request, environment, sink, reads) {
  return program(name, sink, ({ url, intervalMs, periodMs }) => {
    const args = [pathOf('floor.cjs'), url, `${intervalMs}`, `${periodMs}`, request, ...reads];
    return start(name, process.execPath, args, environment);
  });
}

function crateProgram(file, environment, sink) {
  const launch = ({ url, periodMs }) =>
    start('crate', file, ['-n', 'Bench', '-s', 'bench', '-p', `${periodMs / 1000}`], {
      ...environment,
      AWS_ENDPOINT_URL: url,
      SSL_CERT_FILE: environment.NODE_EXTRA_CA_CERTS,
      // It asks for an instance id first: where nobody listens, it goes on at once.
      AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1',
    });
  return { ...program('crate', sink, launch), intervalMs: CRATE_INTERVAL_MS };
}

function program(name, sink, launch) {
  return {
    name,
    async start(options) {
      const inbox = await sink.open();
      return Object.assign(launch({ ...options, url: inbox.url }), { inbox });
    },
  };
}

/** What the agent sends, for the floor to send the same; and the proof that all this works. */
async function captureRequest(agent) {
  const run = await agent.start({ intervalMs: 100, periodMs: 1000, flags: ['--once'] });
  await completed(run);
  await run.inbox.reaches(1);
  return run.inbox.newest;
}

function findCrate() {
  if (process.env.CRATE) return process.env.CRATE;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, CRATE)).find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function pathOf(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
