/** "Go to Last Write of This" means what the cursor is on. */
import assert from 'node:assert/strict';
import { expressionAt } from '../../../language-server/source/expressionAt.js';

/** The expression at the cursor, which `|` marks. */
function at(marked: string): string | undefined {
  return expressionAt(marked.replace('|', ''), marked.indexOf('|'));
}

describe('the expression at the cursor', () => {
  it('is the name that the cursor is in, at its start, or behind it', () => {
    assert.equal(at('  to|tal += amount;'), 'total');
    assert.equal(at('  |total += amount;'), 'total');
    assert.equal(at('  total| += amount;'), 'total');
    assert.equal(at('  total |+= amount;'), undefined);
    assert.equal(at('|'), undefined);
    assert.equal(at('x = 12|3;'), undefined);
  });

  it('has the members in front of it, and none behind', () => {
    assert.equal(at('n = list->he|ad->next;'), 'list->head');
    assert.equal(at('n = li|st->head->next;'), 'list');
    assert.equal(at('this->co|unt++'), 'this->count');
    assert.equal(at('bank::to|tal'), 'bank::total');
    assert.equal(at('self.items.le|n'), 'self.items.len');
  });

  it('keeps subscripts in front of it', () => {
    assert.equal(at('table[i].si|ze'), 'table[i].size');
    assert.equal(at('m[a[0]][j]->val|ue'), 'm[a[0]][j]->value');
    assert.equal(at('f(x[ta|ble[1]])'), 'table');
  });

  it('stops at what is not a variable', () => {
    assert.equal(at('find(x)->na|me'), 'name');
    assert.equal(at(']->na|me'), 'name');
  });
});
