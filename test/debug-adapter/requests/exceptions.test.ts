/** What a signal or a C++ exception is called in plain words. */
import assert from 'node:assert/strict';
import { exceptionInfoOf, explainSignal } from '../../../debug-adapter/requests/exceptions.js';

describe('exceptions', () => {
  const sentences: [Parameters<typeof explainSignal>, RegExp][] = [
    [['SIGSEGV', 1, 0n], /must not use, 0x0 \(a null pointer\): nothing is mapped there\.$/],
    [['SIGSEGV', 2, 0x1234n], /0x1234: that kind of access is not allowed there\.$/],
    [['SIGSEGV', 128, 0n], /^Segmentation fault: the program used an address it must not use\.$/],
    [['SIGFPE', 1], /^Arithmetic error: integer division by zero\.$/],
    [['SIGABRT', -6], /gave up by itself/],
    [['SIGUSR2'], /^Signal SIGUSR2\.$/],
  ];
  for (const [args, expected] of sentences)
    it(`explains ${args[0]} ${args[1] ?? ''}`, () => assert.match(explainSignal(...args), expected));

  it('describe a C++ exception by its type', () => {
    const info = exceptionInfoOf({ kind: 'throw', type: 'std::bad_alloc', value: '' });
    assert.deepEqual([info.exceptionId, info.description], ['std::bad_alloc', 'std::bad_alloc thrown']);
  });
});
