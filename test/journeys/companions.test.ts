/** A second client of a session: asks beside the one that owns it, makes way for it, and can change nothing. */
import assert from 'node:assert/strict';
import { AdapterLink, type Refused } from '../../language-server/sessions/adapterLink.js';
import { findSessions } from '../../language-server/sessions/findSessions.js';
import { debugTest, type Journey } from '../dsl/debugTest.js';
import { eventually } from '../dsl/leftovers.js';

/** Connects to the journey's own session. */
export async function companionOf(s: Journey): Promise<AdapterLink> {
  const own = findSessions().find(({ adapter }) => adapter === s.client.child.pid);
  assert.ok(own, 'the session is found');
  return AdapterLink.connect(own.socket);
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'carried out',
    (error: unknown) => (error as Refused).code,
  );
}

describe('companions', () => {
  debugTest(
    'a companion is told where the session stands, asks about its past, and goes there',
    'bank.c',
    async (s) => {
      await s.walk('break print\nrun -> print');
      const companion = await companionOf(s);
      const told: string[] = [];
      companion.onEvent = (event) => told.push(event);
      const source = { path: s.program.source };
      const state = await companion.timeTravel('chronofork/session', {});
      assert.deepEqual(state, {
        adapter: s.client.child.pid,
        program: s.program.executable,
        stopped: true,
        threadId: s.threadId,
      });
      const { functions } = await companion.timeTravel('chronofork/functions', { source });
      assert.deepEqual(
        functions.map(({ name, endLine }) => [name, s.program.markAt.get(endLine)]),
        [
          ['deposit', 'deposit-end'],
          ['main', 'end'],
        ],
      );
      const counted = await companion.timeTravel('chronofork/hitCounts', { source, functions: true });
      assert.deepEqual(
        counted.functions?.map(({ name, count }) => [name, count]),
        [
          ['deposit', 3],
          ['main', 1],
        ],
      );
      const calls = await companion.timeTravel('chronofork/calls', { function: 'deposit', source });
      assert.equal(calls.total, 3);
      s.client.forget('stopped');
      await companion.timeTravel('chronofork/seek', { moment: calls.rows[1]!.moment.id });
      assert.equal((await s.stopped()).text, 'deposit-first', 'the owner of the session is shown it');
      assert.equal(await s.evaluate('amount'), '20');
      await eventually('it has heard of it', () => told.includes('stopped'));
      assert.ok(told.includes('continued'));
      companion.close();
    },
  );

  debugTest('a companion changes nothing', 'bank.c', async (s) => {
    await s.walk('break print\nrun -> print');
    const companion = await companionOf(s);
    for (const command of ['continue', 'setVariable', 'setBreakpoints', 'disconnect', 'launch', 'chronofork/branch'])
      assert.equal(await refusal(companion.request(command, { threadId: s.threadId })), 'unknownRequest', command);
    const change = { expression: 'total = 5', context: 'repl' };
    assert.notEqual(await refusal(companion.request('evaluate', change)), 'carried out');
    assert.notEqual(await refusal(companion.request('evaluate', { expression: '-exec print total=5' })), 'carried out');
    assert.equal(await s.evaluate('total'), '60');
    companion.close();
  });

  debugTest('its question makes way for the owner, and the session is where it was', 'longRun.c', async (s) => {
    const here = await s.run();
    assert.equal(here.text, 'exit 0');
    const companion = await companionOf(s);
    const asked = companion.timeTravel('chronofork/hitCounts', { source: { path: s.program.source } }).then(
      ({ complete }) => (complete ? 'all' : 'cut short'),
      (error: unknown) => (error as Refused).code,
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const [frame] = await s.stack(1);
    assert.deepEqual([frame?.name, frame?.line], [here.stackFrame?.name, here.stackFrame?.line]);
    assert.ok(['cut short', 'cancelled'].includes(await asked));
    companion.close();
  });
});
