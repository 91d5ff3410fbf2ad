// ~/.aws/config and ~/.aws/credentials, e.g. `[profile dev]`, `region = eu-west-1 # a comment`.
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html and the SDKs' shared test cases.
import { ParseError } from '../errors.ts';

/** Keys in lower case. A value of several lines may be a block of sub-properties. */
export type Section = ReadonlyMap<string, string>;
/** By kind and name: `profile dev`, `sso-session corp`, `services local`. */
export type Sections = ReadonlyMap<string, Section>;

/** As the SDKs' shared cases have it, and all that is not ASCII: CLI and JS take any name. */
const NAME = /^[\w\-/.%@:+\u0080-\u{10ffff}]+$/u;
const KEY = /^[\w\-/.%@:+]+$/;
const DEFAULT = 'profile default';
/** `[default]` of the config file, as long as a `[profile default]` may come that hides it. */
const BARE_DEFAULT = 'default';

/**
 * Every section of a file; those with names that no SDK takes are left out.
 *
 * @param file for the message alone
 * @throws ParseError with the number of the line, never with its text: that may be a secret
 */
export function parseIni(text: string, file: string, isConfig: boolean): Sections {
  const sections = new Map<string, Map<string, string[]>>();
  let section: Map<string, string[]> | 'ignored' | undefined;
  /** The lines of the last property. */
  let lines: string[] | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    const isHeader = raw.startsWith('[');
    if (line === '' || /^[#;]/.test(raw) || (section === 'ignored' && !isHeader)) continue;
    const expect = (what: string, holds: boolean): void => {
      if (!holds) throw new ParseError(file, `line ${index + 1}: expected ${what}`);
    };
    if (isHeader) {
      const end = raw.indexOf(']');
      expect('] and nothing more', end > 0 && /^[ \t]*(?:[#;]|\r?$)/.test(raw.slice(end + 1)));
      const name = sectionName(raw.slice(1, end).trim(), isConfig);
      section = name === undefined ? 'ignored' : (sections.get(name) ?? new Map());
      if (name !== undefined && section !== 'ignored') sections.set(name, section);
      lines = undefined;
      continue;
    }
    expect('a [section] first', section !== undefined);
    const at = line.indexOf('=');
    if (/^[ \t]/.test(raw)) {
      expect('a property before its continuation', lines !== undefined);
      // Below a value it is a remark, as CLI and JS take it; in a block it is none that anybody reads.
      if (/^[#;]/.test(line)) continue;
      expect('NAME = VALUE', lines?.[0] !== '' || at > 0);
      lines?.push(line);
    } else {
      expect('NAME = VALUE', at > 0);
      const key = line.slice(0, at).trim().toLowerCase();
      lines = [withoutComment(line.slice(at + 1)).trim()];
      if (section !== 'ignored' && KEY.test(key)) section?.set(key, lines);
    }
  }
  const bare = sections.get(BARE_DEFAULT);
  sections.delete(BARE_DEFAULT);
  if (bare !== undefined && !sections.has(DEFAULT)) sections.set(DEFAULT, bare);
  const joined = ([key, all]: [string, string[]]): [string, string] => [key, all.join('\n')];
  return new Map([...sections].map(([name, all]) => [name, new Map([...all].map(joined))]));
}

/** A sub-property of a block such as `cloudwatch =`; nothing where there is none, or a blank one. */
export function nested(block: string | undefined, key: string): string | undefined {
  // A value on the key's own line makes it a scalar.
  if (block?.startsWith('\n') !== true) return undefined;
  const pairs = block.split('\n').map((line) => /^([^=]*)=(.*)$/s.exec(line) ?? []);
  return pairs
    .filter(([, name]) => name?.trim().toLowerCase() === key)
    .at(-1)?.[2]
    ?.trim();
}

function sectionName(inner: string, isConfig: boolean): string | undefined {
  if (isConfig && inner === BARE_DEFAULT) return BARE_DEFAULT;
  const [, kind = 'profile', given = inner] = isConfig
    ? (/^(profile|sso-session|services)[ \t]+(.*)$/s.exec(inner) ?? ['', '', ''])
    : [];
  const name = given.replace(/^(["'])((?:(?!\1).)+)\1$/, '$2');
  return NAME.test(name) || name.length < given.length ? `${kind} ${name}` : undefined;
}

function withoutComment(value: string): string {
  const at = value.search(/[ \t][#;]/);
  return at < 0 ? value : value.slice(0, at);
}
