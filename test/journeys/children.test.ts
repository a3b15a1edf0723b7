/** followChildren: the processes that a program starts, each in a session of its own. */
import assert from 'node:assert/strict';
import { ChildSessions } from '../dsl/childSessions.js';
import { familyTest, following, leave } from '../dsl/familyTest.js';
import { asOrdinaryUser, readableCopy } from '../dsl/ordinaryUser.js';
import { debugTest } from '../dsl/debugTest.js';

describe('children that nobody follows', () => {
  for (const [how, mark, result] of [
    ['fork', 'in-child', 6],
    ['vfork', 'vfork-exec', 21],
  ] as const)
    debugTest(
      `do not meet the breakpoints of their parent (${how})`,
      'children.c',
      { launch: { args: [how] } },
      async (s) => {
        await s.walk(`
        break ${mark}
        break reported
        run               -> reported
        continue          -> exit 0
        reverseContinue   -> reported
      `);
        assert.equal(s.client.output.stdout, `${how}ed: ${result}\n`);
      },
    );
});

describe('followChildren', () => {
  familyTest(
    'a forked child is a session of its own, with a past of its own',
    'children.c',
    following('fork'),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.breakAt('add', { condition: 'i == 3' });
      await child.walk(`
      run               -> add
      value sum         -> 3
      clear add
      stepBack          -> loop
      stepBack          -> add
      value sum         -> 1
      stepBack          -> loop
      stepBack          -> add
      stepBack          -> loop
      stepBack          -> begin
      stepBack          -> in-child
      next              -> child-exit-soon
      value sum         -> 6
      continue          -> exit 6
    `);
      await leave(child);
      assert.equal((await s.stopped()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: 6\n');
    },
  );

  familyTest(
    'a breakpoint that only the child meets stops the child alone',
    'children.c',
    following('fork'),
    async (s, children) => {
      // The parent's session has it too, as in an editor.
      await s.breakAt('in-child');
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.walk(`
      break in-child
      run               -> in-child
    `);
      assert.ok(!s.client.has('stopped'), 'the parent waits for its child');
      await child.walk('continue -> exit 6');
      await leave(child);
      assert.equal((await s.stopped()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: 6\n');
    },
  );

  for (const [how, result] of [
    ['exec', 10],
    ['vfork', 21],
    ['spawn', 15],
  ] as const)
    familyTest(
      `a program begun by ${how} has its recording from its first instruction`,
      'children.c',
      following(how),
      async (s, children) => {
        await s.launch();
        await s.client.request('configurationDone');
        const child = await children.next();
        await child.breakAt('begin');
        await child.walk(`
          run               -> begin
          stepBack          -> work
          clear begin
          continue          -> exit ${result}
        `);
        await leave(child);
        assert.equal((await s.stopped()).text, 'exit 0');
        assert.match(s.client.output.stdout ?? '', new RegExp(`ed: ${result}\\n$`));
      },
    );

  familyTest('two children of a pipeline stand side by side', 'children.c', following('pipe'), async (s, children) => {
    await s.launch();
    await s.client.request('configurationDone');
    const writer = await children.next();
    const reader = await children.next();
    await reader.breakAt('got');
    await writer.breakAt('write');
    await reader.client.request('configurationDone');
    await writer.walk('run -> write');
    assert.ok(!reader.client.has('stopped'), 'nothing was written yet');
    await writer.walk('continue -> exit 6');
    assert.equal((await reader.stopped()).text, 'got');
    await reader.walk('value got -> 6');
    // The writer stands at its end, and its end of the pipe with it, until it is let go.
    await leave(writer);
    await reader.walk('continue -> exit 13');
    await leave(reader);
    assert.equal((await s.stopped()).text, 'exit 0');
    assert.equal(s.client.output.stdout, 'writer: 6\nreader: 13\n');
  });

  familyTest(
    'a child whose session is left finishes its work undebugged',
    'children.c',
    following('fork'),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.walk(`
      break add
      run               -> add
      stepBack          -> loop
    `);
      await child.client.request('disconnect', { terminateDebuggee: false });
      assert.equal((await s.stopped()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: 6\n');
    },
  );

  familyTest(
    'a child whose session is stopped is ended, as its parent sees',
    'children.c',
    following('fork'),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.walk(`
      break add
      run               -> add
    `);
      await child.client.request('disconnect', { terminateDebuggee: true });
      assert.equal((await s.stopped()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: signal 9\n');
    },
  );

  familyTest('stopping the program stops its children', 'children.c', following('fork'), async (s, children) => {
    await s.launch();
    await s.client.request('configurationDone');
    const child = await children.next();
    await child.walk(`
      break add
      run               -> add
    `);
    await s.client.request('disconnect', { terminateDebuggee: true });
    await child.client.event('terminated');
  });

  familyTest('a client that refuses leaves the child undebugged', 'children.c', following('fork'), async (s) => {
    await s.launch();
    s.client.onReverseRequest = () => {
      throw new Error('no more windows');
    };
    assert.equal((await s.run()).text, 'exit 0');
    assert.equal(s.client.output.stdout, 'forked: 6\n');
    assert.match(
      s.client.output.important ?? '',
      /Process \d+ \(children\.c\S*\) runs on undebugged: .*no more windows/,
    );
  });

  familyTest(
    'a client that cannot start sessions is told so',
    'children.c',
    { launch: { args: ['fork'], followChildren: true } },
    async (s) => {
      assert.equal((await s.run()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: 6\n');
      assert.match(s.client.output.important ?? '', /cannot start further debug sessions.*children run on undebugged/);
    },
  );

  familyTest('a session of a child can be begun again', 'children.c', following('fork'), async (s, children) => {
    await s.launch();
    await s.client.request('configurationDone');
    const asked = await children.nextAsked();
    const first = await children.start(asked);
    await first.walk(`
      break add
      run               -> add
    `);
    await first.client.request('disconnect', { terminateDebuggee: false, restart: true });
    const again = await children.start(asked);
    await again.walk('run -> exit 6');
    await leave(again);
    assert.equal((await s.stopped()).text, 'exit 0');
  });

  const command = asOrdinaryUser();
  debugTest(
    'works for an ordinary user',
    'children.c',
    {
      ...following('fork'),
      command: () => command,
      env: { CHRONOFORK_LOG_FILE: '' },
    },
    async (s) => {
      const children = new ChildSessions(s, command);
      await s.launch({ program: readableCopy(s.program.executable), cwd: '/' });
      await s.client.request('configurationDone');
      const child = await children.next();
      await child.walk(`
      break add
      run               -> add
      stepBack          -> loop
      clear add
    `);
      await child.client.request('disconnect', { terminateDebuggee: false });
      assert.equal((await s.stopped()).text, 'exit 0');
      assert.equal(s.client.output.stdout, 'forked: 6\n');
      await children.close();
    },
  );

  for (const whose of ['program', 'child'] as const)
    familyTest(
      `nothing is left when the adapter of the ${whose} is killed`,
      'children.c',
      following('fork'),
      async (s, children) => {
        await s.launch();
        await s.client.request('configurationDone');
        const child = await children.next();
        await child.walk(`
        break add
        run               -> add
      `);
        const killed = whose === 'program' ? s : child;
        killed.client.child.kill('SIGKILL');
        await killed.client.exited;
        if (whose === 'program') {
          await child.client.event('terminated');
        } else {
          assert.equal((await s.stopped()).text, 'exit 0');
          assert.equal(s.client.output.stdout, 'forked: signal 9\n');
        }
      },
    );

  familyTest(
    'nothing is left when the adapter is killed while a child waits for its session',
    'children.c',
    following('fork'),
    async (s, children) => {
      await s.launch();
      await s.client.request('configurationDone');
      await children.nextAsked();
      s.client.child.kill('SIGKILL');
      await s.client.exited;
    },
  );
});
