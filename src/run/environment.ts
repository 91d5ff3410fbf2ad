import type { Environment } from '../environment.ts';

const OURS = 'METRICS_AGENT_';
const JOB_NODE_OPTIONS = 'METRICS_AGENT_JOB_NODE_OPTIONS';

/** The job's environment: ours without our settings, and with NODE_OPTIONS of its own where given. */
export function jobEnvironment(environment: Environment): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !name.startsWith(OURS)) passed[name] = value;
  }
  const options = environment[JOB_NODE_OPTIONS]?.trim() ?? '';
  return options === '' ? passed : { ...passed, NODE_OPTIONS: options };
}

/**
 * What has loaded into the agent by NODE_OPTIONS before its first line ran, and should not have; the
 * words are quoted without their values.
 */
export function intrusions(environment: Environment): readonly string[] {
  const words = (environment['NODE_OPTIONS'] ?? '').split(/\s+/);
  const names = words.map((word) => word.replace(/=.*/s, ''));
  return [...new Set(names.filter((name) => /^(?:--inspect|--require$|-r$|--import$)/.test(name)))];
}
