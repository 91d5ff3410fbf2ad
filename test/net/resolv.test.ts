import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidatesOf, parseResolv } from '../../src/net/resolv.ts';

const POD = 'search a.svc.cluster.local svc.cluster.local\noptions ndots:5\n';

function namesOf(
  name: string,
  text: string,
  environment: Record<string, string> = {},
  host = 'host',
): string[] {
  return candidatesOf(name, parseResolv(text, environment, host));
}

describe('the names that are asked for', () => {
  const rows: [what: string, name: string, text: string, names: string[]][] = [
    ['without a file', 'a.b', '', ['a.b']],
    ['a single label', 'a', 'search x y', ['a.x', 'a.y', 'a']],
    ['as many dots as ndots', 'a.b', 'search x', ['a.b', 'a.b.x']],
    ['fewer', 'a.b', 'search x\noptions ndots:2', ['a.b.x', 'a.b']],
    ['a dot at the end', 'a.b.', POD, ['a.b']],
    ['a pod', 's.n', POD, ['s.n.a.svc.cluster.local', 's.n.svc.cluster.local', 's.n']],
    ['`domain`', 'a', 'domain x', ['a.x', 'a']],
    ['the last of both', 'a', 'search x y\ndomain z', ['a.z', 'a']],
    ['and the other way round', 'a', 'domain z\nsearch x y', ['a.x', 'a.y', 'a']],
    ['a comment is no setting', 'a', '# search x\n;search y', ['a']],
    ['a blank before it neither', 'a', ' search x', ['a']],
    ['tabs', 'a', 'search\tx\ty', ['a.x', 'a.y', 'a']],
    ['dots around a domain', 'a', 'search .x y.', ['a.x', 'a.y', 'a']],
    ['the root in the list', 'a', 'search . x', ['a.x', 'a']],
    ['CRLF', 'a', 'search x\r\noptions ndots:2\r\n', ['a.x', 'a']],
    ['ndots:0', 'a', 'search x\noptions ndots:0', ['a', 'a.x']],
    ['ndots above the most', 'a.b', 'search x\noptions ndots:99', ['a.b.x', 'a.b']],
    ['no-tld-query', 'a', 'search x\noptions no-tld-query', ['a.x']],
  ];
  for (const [what, name, text, names] of rows) {
    test(what, () => assert.deepEqual(namesOf(name, text), names));
  }

  test('LOCALDOMAIN takes the place of the list, also when it is empty', () => {
    assert.deepEqual(namesOf('a', 'search x', { LOCALDOMAIN: 'l m' }), ['a.l', 'a.m', 'a']);
    assert.deepEqual(namesOf('a', 'search x', { LOCALDOMAIN: '' }), ['a']);
  });

  test('RES_OPTIONS comes after the file', () => {
    const names = namesOf('a.b', 'search x\noptions ndots:5', { RES_OPTIONS: 'ndots:1' });
    assert.deepEqual(names, ['a.b', 'a.b.x']);
  });

  test('without a list the machine’s own domain is it', () => {
    assert.deepEqual(namesOf('a', '', {}, 'host.corp.example'), ['a.corp.example', 'a']);
  });
});

test('timeout and attempts are taken within the bounds of the system', () => {
  const of = (text: string): number[] => {
    const { timeoutMs, tries } = parseResolv(`options ${text}`, {}, '');
    return [timeoutMs, tries];
  };
  assert.deepEqual(of(''), [1000, 3]);
  assert.deepEqual(of('timeout:2 attempts:4'), [2000, 4]);
  assert.deepEqual(of('timeout:0 attempts:0'), [1000, 1]);
  assert.deepEqual(of('timeout:99 attempts:99 timeout:soon'), [30_000, 5]);
  assert.equal(parseResolv('options no-aaaa', {}, '').isIpv4Only, true);
});
