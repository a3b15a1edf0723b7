/** What the Crash view says and offers. */
import assert from 'node:assert/strict';
import { crashRows } from '../../../extension/crash/crashRows.js';

const crash = {
  signal: 'SIGSEGV',
  description: 'Segmentation fault.',
  moment: { id: 7, order: 1, event: 9, timeMs: 1500, branch: 0, pc: '0x401000' },
  threadId: 1,
  location: { function: 'use', path: '/src/crash.c', line: 16 },
};

describe('the rows of the Crash view', () => {
  it('are what, where, which address, and three offers', () => {
    const suspects = [{ expression: 'record->target', value: '0x3ed', address: '0x4060', size: 8 }];
    const rows = crashRows({ ...crash, faultAddress: '0x3ed', suspects });
    assert.deepEqual(
      rows.map(({ label, command, offer }) => [label, command, offer]),
      [
        ['SIGSEGV', 'goToCrash', false],
        ['use, crash.c:16', 'goToCrash', false],
        ['0x3ed', undefined, false],
        ['Who wrote record->target?', 'lastWriteOfSuspect', true],
        ['Step back from it', 'stepBackFromCrash', true],
        ['Replay it', 'replayCrash', true],
      ],
    );
  });

  it('offer no write where nobody is suspected', () => {
    const rows = crashRows({ ...crash, signal: 'SIGABRT', suspects: [] });
    assert.deepEqual(
      rows.filter(({ offer }) => offer).map(({ command }) => command),
      ['stepBackFromCrash', 'replayCrash'],
    );
    assert.ok(!rows.some(({ id }) => id === 'address'));
  });
});
