/** Followed children that have threads, children of their own, or no parent any more. */
import assert from 'node:assert/strict';
import { familyTest, following, leave } from '../dsl/familyTest.js';
import { eventually, processesOf } from '../dsl/leftovers.js';

const withThreads = { flags: ['-g', '-O0', '-pthread'] };

describe('followed children', () => {
  familyTest(
    'with threads are let go in the middle of them',
    'kin.c',
    following('threads', withThreads),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.breakAt('turn', { hitCondition: '20' });
      await child.run();
      assert.equal(child.last?.text, 'turn');
      await child.client.request('disconnect', { terminateDebuggee: false });
      assert.equal((await s.stopped()).text, 'exit 0');
      // 30 turns of 1, 3 and 6.
      assert.equal(s.client.output.stdout, `threads: ${300 % 256}\n`);
    },
  );

  familyTest('have children that are followed in their turn', 'kin.c', following('nested'), async (s, children) => {
    await s.launch();
    await s.client.request('configurationDone');
    const child = await children.next();
    await child.breakAt('got');
    await child.client.request('configurationDone');
    const grandchild = await children.next();
    await grandchild.walk(`
      break worked
      run               -> worked
      value sum         -> 10
      continue          -> exit 10
    `);
    await leave(grandchild);
    assert.equal((await child.stopped()).text, 'got');
    await child.walk('continue -> exit 11');
    await leave(child);
    assert.equal((await s.stopped()).text, 'exit 0');
    assert.equal(s.client.output.stdout, 'nested: 11\n');
  });

  familyTest('are ended with the session above their parent’s', 'kin.c', following('nested'), async (s, children) => {
    await s.launch();
    await s.client.request('configurationDone');
    const child = await children.next();
    await child.client.request('configurationDone');
    const grandchild = await children.next();
    await grandchild.walk(`
      break worked
      run               -> worked
    `);
    await s.client.request('disconnect', { terminateDebuggee: true });
    await child.client.event('terminated');
    await grandchild.client.event('terminated');
  });

  familyTest(
    'outlive a parent that ended by itself, as long as they are debugged',
    'kin.c',
    following('daemon'),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      const child = await children.next();
      assert.equal((await s.stopped()).text, 'exit 0');
      await leave(s);
      await child.walk(`
      break worked
      run               -> worked
      continue          -> worked
      reverseContinue   -> worked
    `);
      await child.client.request('disconnect', { terminateDebuggee: false });
      assert.match(child.client.output.important ?? '', /Process \d+ was ended/);
      await eventually('it is gone', () =>
        processesOf(s.client).every(({ executable }) => executable !== s.program.executable),
      );
    },
  );
});
