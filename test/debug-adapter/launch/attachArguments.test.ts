/** What an attach configuration may say, and the sentence for each thing that it may not. */
import assert from 'node:assert/strict';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import { checkAttachArguments } from '../../../debug-adapter/launch/attachArguments.js';

function refusal(args: unknown): ChronoforkError {
  try {
    checkAttachArguments(args);
  } catch (error) {
    assert.ok(error instanceof ChronoforkError);
    assert.equal(error.code, 'invalidLaunch');
    return error;
  }
  throw new assert.AssertionError({ message: 'it was accepted' });
}

describe('attachArguments', () => {
  it('fills in what is not said', () => {
    assert.deepEqual(checkAttachArguments({ pid: 1234 }), {
      pid: 1234,
      program: undefined,
      family: undefined,
      stopOnEntry: true,
      sourceMap: {},
      gdbPath: 'gdb',
      setupCommands: [],
      checkpointIntervalMs: 100,
      checkpointMemoryMb: 0,
      onEditedContinue: 'branch',
      followChildren: false,
      noDebug: false,
    });
  });

  it('takes the number as a number or as digits, by either name', () => {
    for (const given of [{ pid: 77 }, { pid: '77' }, { processId: 77 }, { processId: '77' }])
      assert.equal(checkAttachArguments(given).pid, 77, JSON.stringify(given));
  });

  it('knows a child that another session hands over', () => {
    const family = { socket: '/proc/1/fd/3', adapter: 1, began: 'exec' };
    assert.deepEqual(checkAttachArguments({ pid: 5, __family: family }).family, family);
    assert.equal(checkAttachArguments({ pid: 5, __family: { socket: 3 } }).family, undefined);
  });

  const wrong: [unknown, RegExp][] = [
    [{}, /"pid" is missing/],
    [{ pid: 'bank' }, /"pid" must be the number of a process, but is "bank"/],
    [{ processId: 0 }, /"processId" must be the number of a process, but is 0/],
    [{ pid: 1.5 }, /"pid" must be the number of a process/],
    [{ pid: 3e9 }, /"pid" must be the number of a process/],
    [{ pid: 1, followChildren: 'yes' }, /"followChildren" must be true or false, but is "yes"/],
    [{ pid: 1, stopOnEntry: 1 }, /"stopOnEntry" must be true or false/],
    [{ pid: 1, program: 5 }, /"program" must be the path of an executable/],
    ['1', /"arguments" must be an object/],
  ];
  for (const [args, sentence] of wrong)
    it(`refuses ${JSON.stringify(args)}`, () => assert.match(refusal(args).message, sentence));
});
