// The processes that are measured: started, watched and ended, each by its own id.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';

const running = new Set();
let fail;
/** Rejects when a process ends that nobody has asked to. */
export const death = new Promise((_, reject) => {
  fail = reject;
});

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// Without a listener these end the process and leave its children.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** `ended` resolves with { code, signal, said } when the process has ended. */
export function start(name, command, args, env) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  return watched(name, child);
}

export function startServer(file) {
  return watched(file, fork(file, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] }));
}

/** Ends a process and says how long that took, in ms; the agent's promise is to exit with 0. */
export async function stop(run, signal = 'SIGTERM') {
  run.asked = true;
  const fromMs = performance.now();
  run.child.kill(signal);
  const { code } = await run.ended;
  if (run.name === 'agent' && code !== 0) throw new Error(obituary(run, code));
  return performance.now() - fromMs;
}

/** Waits for a process that ends by itself. */
export async function completed(run) {
  run.asked = true;
  const { code } = await run.ended;
  if (code !== 0) throw new Error(obituary(run, code));
}

function watched(name, child) {
  const run = { name, child, pid: child.pid, asked: false, said: '' };
  running.add(child);
  child.stderr.on('data', (text) => {
    run.said += text;
  });
  run.ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    if (!run.asked) fail(new Error(obituary(run, code ?? signal)));
    return { code, signal };
  });
  run.ended.catch(fail);
  return run;
}

function obituary({ name, pid, said }, how) {
  return `${name} (pid ${pid}) ended with ${how}${said === '' ? '' : `; it said:\n${said}`}`;
}
