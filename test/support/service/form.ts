import { Refusal } from './refusal.ts';

/** A decoded value, or the names below a dot: `A.B=1` is `A` → `B` → `1`. */
export type FormNode = string | FormTree;
export type FormTree = Map<string, FormNode>;

// What every encoder of the Query protocol leaves in a body: RFC 3986 unreserved, and the form's own signs.
const BODY_BYTES = /^[A-Za-z0-9\-._~%+&=]*$/;

/** Decodes a form body strictly. @throws {Refusal} for a pair, an escape or a key that is malformed or doubled */
export function parseForm(body: Buffer): FormTree {
  const text = body.toString('latin1');
  if (!BODY_BYTES.test(text)) throw malformed('The body holds bytes that are not percent-encoded.');
  const root: FormTree = new Map();
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw malformed(`"${pair}" is not a pair of key and value.`);
    place(root, decode(pair.slice(0, equals)), decode(pair.slice(equals + 1)));
  }
  return root;
}

/** The node as a structure that has no other members than `known`. */
export function takeFields(node: FormNode, path: string, known: readonly string[]): FormTree {
  if (typeof node === 'string') throw malformed(`${path || 'The body'} is not a structure.`);
  for (const key of node.keys()) {
    if (known.includes(key)) continue;
    throw malformed(`Unknown key ${path === '' ? key : `${path}.${key}`}.`);
  }
  return node;
}

/**
 * The members of `path.member.N`, N counted from 1 without a gap; nothing where the list is absent.
 * An empty list is refused, though AWS bears the SDKs' `Dimensions=`: our encoder leaves the key out.
 */
export function takeList(node: FormNode | undefined, path: string): FormNode[] {
  if (node === undefined) return [];
  if (node === '') throw malformed(`The list ${path} is empty: leave the key out.`);
  const members = takeFields(node, path, ['member']).get('member');
  if (!(members instanceof Map)) throw malformed(`${path} is not a list.`);
  const list: FormNode[] = [];
  for (let index = 1; index <= members.size; index += 1) {
    const member = members.get(String(index));
    if (member === undefined) throw malformed(`${path}.member.${index} is missing from the list.`);
    list.push(member);
  }
  return list;
}

/** The scalar at `key`; nothing where it is absent. */
export function takeText(tree: FormTree, key: string, path: string): string | undefined {
  const node = tree.get(key);
  if (node instanceof Map) throw malformed(`${path} is not a simple value.`);
  return node;
}

function place(root: FormTree, key: string, value: string): void {
  const steps = key.split('.');
  const last = steps.pop() ?? '';
  let tree = root;
  for (const step of steps) {
    const below = tree.get(step) ?? new Map<string, FormNode>();
    if (typeof below === 'string') throw malformed(`${key}: ${step} is a simple value already.`);
    tree.set(step, below);
    tree = below;
  }
  if (last === '' || steps.includes('')) throw malformed(`The key "${key}" has an empty part.`);
  if (tree.has(last)) throw malformed(`The key ${key} comes twice.`);
  tree.set(last, value);
}

function decode(escaped: string): string {
  try {
    return decodeURIComponent(escaped.replaceAll('+', ' '));
  } catch (cause) {
    throw new Refusal(400, 'MalformedInput', `"${escaped}" is not percent-encoded UTF-8.`, {
      cause,
    });
  }
}

function malformed(message: string): Refusal {
  return new Refusal(400, 'MalformedInput', message);
}
