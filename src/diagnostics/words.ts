import { fieldsOf, scopeText } from './start.ts';

/** What a source says of itself, for somebody who reads it on a screen. */
export interface Words {
  readonly scope: string;
  readonly source: string;
  /** `0.5 CPU`; empty where there is no limit. */
  readonly cpuLimit: string;
  readonly hasMemoryLimit: boolean;
}

/** @param description a source's own line: `scope=container source=cgroup cpu.limit=0.5 (cpu.max) …` */
export function wordsOf(description: string): Words {
  const fields = fieldsOf(description);
  const { scope = '', source } = fields;
  const cpu = Number.parseFloat(fields['cpu.limit'] ?? '');
  return {
    scope: scopeText(scope),
    // Of none the scope tells why.
    source: source === undefined ? scope.replace(/^none: /, '') : sourceText(source, fields),
    cpuLimit: cpu > 0 ? `${cpu} CPU` : '',
    hasMemoryLimit: /^\d/.test(fields['mem.limit'] ?? ''),
  };
}

function sourceText(source: string, fields: Readonly<Record<string, string>>): string {
  const { containers, hidden } = fields;
  const all = (...names: readonly string[]): string =>
    [...new Set(names.map((name) => fields[name]))].filter(Boolean).join(' and ');
  // A limit of a group's own folder goes without saying.
  const limits = [...all('cpu.limit', 'mem.limit').matchAll(/\(((?:(?! of \/).)+?)\)/g)].map(
    ([, from]) => from,
  );
  const crew = `${containers} containers${hidden === undefined ? '' : `, ${hidden} hidden`}`;
  const kinds: Readonly<Record<string, string>> = {
    host: '/proc/stat and /proc/meminfo',
    macos: 'os.cpus and vm_stat',
    cgroup: `cgroup ${fields['cgroup']}`,
    'task-metadata': `task metadata of ${crew}`,
    siblings: `cgroups of ${crew}`,
  };
  const folders = all('cpu.dir', 'mem.dir');
  const mode = fields['mem.mode']?.replace('workingset', 'working set');
  const parts = [
    kinds[source] ?? source,
    limits.length > 0 && `limits by ${[...new Set(limits)].join(' and ')}`,
    mode && `memory: ${mode}`,
    folders && `in ${folders}`,
  ];
  return parts.filter(Boolean).join(', ');
}
