/** What a crash is traced back by. */
import assert from 'node:assert/strict';
import { pointersOn, sourceOf } from '../../../language-server/source/pointers.js';

describe('pointers of a line', () => {
  it('are what -> , [ and * go through', () => {
    assert.deepEqual(pointersOn('  return *record->target;'), ['record->target', 'record']);
    assert.deepEqual(pointersOn('a->b->c = 1;'), ['a->b', 'a']);
    assert.deepEqual(pointersOn('return name[0]; // other->thing'), ['name']);
    assert.deepEqual(pointersOn('int sum = first + second;'), []);
  });
});

describe('where a value comes from', () => {
  it('is the variable on the right of its assignment', () => {
    assert.equal(sourceOf('  const struct account* account = customer->account;', 'account'), 'customer->account');
    assert.equal(sourceOf('p = table[i].first;', 'p'), 'table[i].first');
  });

  it('is nothing else: no computation, no comparison, no other variable', () => {
    assert.equal(sourceOf('p = q + 1;', 'p'), undefined);
    assert.equal(sourceOf('if (p == q) x = y;', 'p'), undefined);
    assert.equal(sourceOf('a->p = q;', 'p'), undefined);
    assert.equal(sourceOf('p = next(q);', 'p'), undefined);
  });
});
