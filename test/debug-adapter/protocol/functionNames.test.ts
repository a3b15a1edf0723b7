/** What is left of a function's name for arguments to be put behind it. */
import assert from 'node:assert/strict';
import { withoutParameters } from '../../../debug-adapter/protocol/functionNames.js';

describe('functionNames', () => {
  const names: [string, string][] = [
    ['main', 'main'],
    ['main()', 'main'],
    ['a::odd(int)', 'a::odd'],
    ['(anonymous namespace)::g(int)', '(anonymous namespace)::g'],
    ['(anonymous namespace)::g', '(anonymous namespace)::g'],
    ['f(void (*)(int), char)', 'f'],
    ['S::go() const', 'S::go'],
    ['S::operator()(int) const', 'S::operator()'],
    ['S::operator()', 'S::operator()'],
    ['std::vector<int (*)()>::size', 'std::vector<int (*)()>::size'],
    [
      'std::vector<int (*)(), std::allocator<int (*)()> >::push_back(int (*&&)())',
      'std::vector<int (*)(), std::allocator<int (*)()> >::push_back',
    ],
  ];
  for (const [name, expected] of names)
    it(`leaves ${expected} of ${name}`, () => assert.equal(withoutParameters(name), expected));
});
