/** Which names a line mentions, and on which line each value is shown. */
import assert from 'node:assert/strict';
import { declaredOn, mentions, namesByLine, withoutComments } from '../../../language-server/source/names.js';

describe('names in source text', () => {
  it('are those of variables: no members, no calls, no words of comments and strings', () => {
    assert.deepEqual(namesByLine('total += node->next.size + f(count);'), [['total', 'node', 'count']]);
    assert.deepEqual(namesByLine('puts("total"); // total\nx = y; /* z\nz */ w'), [[], ['x', 'y'], ['w']]);
    assert.deepEqual(namesByLine("c = 'x'; std::cout << println!(a);"), [['c', 'a']]);
  });

  it('keep their lines and columns when comments are blanked', () => {
    const text = 'a /* b\nc */ d "e\\"f" g';
    assert.equal(withoutComments(text).length, text.length);
    assert.equal(withoutComments(text).split('\n')[1]?.indexOf('g'), text.split('\n')[1]?.indexOf('g'));
  });

  it('are known to be declared on a line', () => {
    assert.deepEqual([...declaredOn('  int sum = 0;')], ['sum']);
    assert.deepEqual([...declaredOn('  const char *name = shop->name;')], ['name']);
    assert.deepEqual([...declaredOn('  let mut total = 0;')], ['total']);
    assert.deepEqual([...declaredOn('  return sum;')], []);
    assert.deepEqual([...declaredOn('  total += amount;')], []);
  });

  it('are shown once each, on the line nearest before the present one, never after it', () => {
    const lines = namesByLine('f(a, b);\nb = a;\nc = b;\nd = c;');
    const known = new Set(['a', 'b', 'c', 'd']);
    assert.deepEqual(mentions(lines, 0, 2, known), [
      { line: 1, names: ['a'] },
      { line: 2, names: ['c', 'b'] },
    ]);
    assert.deepEqual(mentions(lines, 2, 2, new Set(['b'])), [{ line: 2, names: ['b'] }]);
  });
});
