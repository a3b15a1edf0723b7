/** Sessions are found by what the kernel lists. */
import assert from 'node:assert/strict';
import { sessionNames } from '../../../language-server/sessions/findSessions.js';

describe('open sessions', () => {
  it('are the sockets of adapters, each once, and nothing of others', () => {
    const listing = [
      'Num       RefCount Protocol Flags    Type St Inode Path',
      '0000000000000000: 00000002 00000000 00010000 0001 01 4711 /tmp/chronofork-aB3xYz/session.123',
      '0000000000000000: 00000003 00000000 00000000 0001 03 4712 /tmp/chronofork-aB3xYz/session.123',
      '0000000000000000: 00000002 00000000 00010000 0001 01 4713 /tmp/chronofork-aB3xYz/tty',
      '0000000000000000: 00000002 00000000 00010000 0001 01 4714 @/tmp/other/session.9',
      '0000000000000000: 00000002 00000000 00010000 0001 01 4715',
      '',
    ].join('\n');
    assert.deepEqual(sessionNames(listing), [{ adapter: 123, name: '/tmp/chronofork-aB3xYz/session.123' }]);
  });
});
