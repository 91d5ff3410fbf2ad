import type { FlagTable } from '../src/config/flags.ts';
import { isRepeatable, type Row, rowsOf, type Values, valuesOf } from './words.ts';

const PROGRAM = 'cloudwatch-metrics-agent';
const MADE = `completion of ${PROGRAM}, made from its flag table by dev/shell.ts`;

/** For `/usr/share/bash-completion/completions`, or to be sourced. Bash 3.2 and newer. */
export function bashCompletion(table: FlagTable): string {
  const rows = rowsOf(table);
  const spellings = rows.flatMap(({ name, short }) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ]);
  return `# bash ${MADE}
_cloudwatch_metrics_agent() {
  local IFS=$'\\n' cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] || continue
    if declare -F _command_offset >/dev/null; then
      IFS=$' \\t\\n'
      _command_offset $((i + 1))
    elif ((i == COMP_CWORD - 1)) && [[ $cur != */* ]]; then
      COMPREPLY=($(compgen -c -- "$cur"))
    else
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
    fi
    return
  done
  # Bash makes three words of --flag=value.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case $prev in
${rows.map(bashCase).join('')}  esac
  COMPREPLY=($(IFS=' '; compgen -W '${spellings.join(' ')} --' -- "$cur"))
}
complete -F _cloudwatch_metrics_agent ${PROGRAM} agent.js
`;
}

function bashCase(row: Row): string {
  const values = valuesOf(row);
  if (values === undefined) return '';
  const pattern = row.short === undefined ? `--${row.name}` : `--${row.name}|-${row.short}`;
  return `    ${pattern})\n${bashValues(values)}      return ;;\n`;
}

function bashValues({ words, isFile, isFolder, isList }: Values): string {
  const lines: string[] = [];
  if (isList) {
    lines.push(
      `local last=\${cur##*,}`,
      `COMPREPLY=($(IFS=' '; compgen -P "\${cur%"$last"}" -W '${words.join(' ')}' -- "$last"))`,
      'compopt -o nospace 2>/dev/null',
    );
  } else if (words.length > 0) {
    lines.push(`COMPREPLY=($(IFS=' '; compgen -W '${words.join(' ')}' -- "$cur"))`);
  }
  if (isFile) lines.push('COMPREPLY+=($(compgen -f -- "$cur"))');
  if (isFolder) lines.push('COMPREPLY=($(compgen -d -- "$cur"))');
  if (isFile || isFolder) lines.push('compopt -o filenames 2>/dev/null');
  return lines.map((line) => `      ${line}\n`).join('');
}

/** For a folder of zsh's `fpath`, under the name `_cloudwatch-metrics-agent`. */
export function zshCompletion(table: FlagTable): string {
  const specs = rowsOf(table).flatMap(zshSpecs);
  return `#compdef ${PROGRAM} agent.js
# zsh ${MADE}
local -i at=\${words[(i)--]}
if (( at < CURRENT )); then
  shift $at words
  (( CURRENT -= at ))
  _normal
  return
fi
_arguments -s : \\
${specs.map((spec) => `  ${quoted(spec)}`).join(' \\\n')}
`;
}

function zshSpecs(row: Row): string[] {
  const { name, short } = row;
  const all = short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];
  const before = isRepeatable(row) ? '*' : all.length > 1 ? `(${all.join(' ')})` : '';
  const values = valuesOf(row);
  const meaning = row.meaning.replaceAll(/[[\]:\\]/g, '\\$&');
  return all.map((spelling) => {
    if (values === undefined) return `${before}${spelling}[${meaning}]`;
    const join = spelling.startsWith('--') ? '=' : '+';
    return `${before}${spelling}${join}[${meaning}]:${name}:${zshAction(values)}`;
  });
}

function zshAction({ words, isFile, isFolder, isList }: Values): string {
  if (isList) return `_values -s , metric ${words.join(' ')}`;
  if (isFolder) return '_files -/';
  const list = words.map((word) => word.replaceAll(':', '\\:')).join(' ');
  if (isFile)
    return words.length === 0 ? '_files' : `_alternative "words:word:(${list})" files:file:_files`;
  return words.length === 0 ? ' ' : `(${list})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
