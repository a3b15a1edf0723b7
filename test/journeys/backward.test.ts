/** Going back: the reason why all this exists. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Arrival, Checkpoint, Timeline } from '../../debug-adapter/protocol/timeTravel.js';
import { debugTest } from '../dsl/debugTest.js';

describe('backwards', () => {
  debugTest('stepping back returns the way it came', 'bank.c', async (s) => {
    await s.walk(`
      break start
      run               -> start
      next              -> total
      next              -> loop
      next              -> call
      next              -> loop
      next              -> call
      value total       -> 10
      stepBack          -> loop
      stepBack          -> call
      value total       -> 0
      stepBack          -> loop
      stepBack          -> total
      stepBack          -> start
    `);
  });

  debugTest('a step back from the first line leads to the caller', 'bank.c', async (s) => {
    await s.walk(`
      break deposit-first
      run               -> deposit-first
      value amount      -> 10
      stepBack          -> call
      value i           -> 1
      stepBack          -> loop
    `);
  });

  debugTest('a step back stays in its function, over the calls in it', 'recursion.c', async (s) => {
    await s.walk(`
      break multiply
      run               -> multiply
      continue          -> multiply
      value n           -> 3
      clear multiply
      stepBack          -> recurse
      value n           -> 3
      stepBack          -> base
      stepBack          -> count
      value calls       -> 1
      stepBack          -> recurse
      value n           -> 4
    `);
  });

  debugTest(
    "gdb's own reverse-next passes a loop of one line with few packets",
    'one_line.c',
    { env: { CHRONOFORK_LOG: 'rsp:debug' } },
    async (s) => {
      await s.breakAt('print');
      await s.run();
      const reverseNext = () => s.step('evaluate', { expression: '-exec reverse-next', context: 'repl' });
      assert.equal((await reverseNext()).text, 'loop');
      assert.equal((await reverseNext()).text, 'total');
      assert.equal((await s.step('next')).text, 'loop');
      assert.equal(await s.evaluate('total'), '1');
      const steps = readFileSync(s.client.logFile, 'utf8').match(/<- bs\b/g) ?? [];
      assert.ok(steps.length > 0 && steps.length <= 20, `${steps.length} packets bs`);
    },
  );

  debugTest('running back to a line', 'bank.c', async (s) => {
    await s.walk(`
      break print
      run                 -> print
      runBackTo deposit   -> deposit
      value amount        -> 30
      runBackTo deposit   -> deposit
      value amount        -> 20
      break deposit-count
      seek end            -> print
      runBackTo start     -> deposit-count
      value amount        -> 30
      clear deposit-count
      runBackTo start     -> start
      continue            -> print
    `);
    // A line without code stands for the next that has some.
    const declared = s.program.marks.get('deposit-first')! - 3;
    const here = { path: s.program.source, line: declared };
    assert.equal((await s.step('chronofork/runBackTo', here)).text, 'deposit-first');
    await assert.rejects(
      s.client.timeTravel('chronofork/runBackTo', { path: s.program.source, line: 9999 }),
      /No code/,
    );
    await assert.rejects(s.client.timeTravel('chronofork/runBackTo', { path: s.program.source, line: 0 }), /from 1 on/);
    const arrival = await s.client.timeTravel('chronofork/runBackTo', here);
    assert.deepEqual([arrival.outcome, arrival.line], ['found', s.program.marks.get('deposit-first')]);
  });

  debugTest('running back to a line that was never executed leads to the beginning', 'bank.c', async (s) => {
    await s.walk(`
      break loop
      run                 -> loop
    `);
    const path = s.program.source;
    const never = await s.client.timeTravel('chronofork/runBackTo', { path, line: s.program.marks.get('print')! });
    assert.equal(never.outcome, 'begin');
    assert.match(never.message ?? '', /^Line \d+ of bank\.c was not executed before/);
  });

  debugTest('reverse continue stops at breakpoints', 'bank.c', async (s) => {
    await s.walk(`
      break deposit
      break print
      run               -> deposit
      continue          -> deposit
      continue          -> deposit
      continue          -> print
      reverseContinue   -> deposit
      value amount      -> 30
      reverseContinue   -> deposit
      value amount      -> 20
      reverseContinue   -> deposit
      value amount      -> 10
      continue          -> deposit
      value amount      -> 20
    `);
  });

  debugTest('reverse continue without a breakpoint ends at the beginning', 'bank.c', async (s) => {
    await s.breakAt('print');
    await s.run();
    await s.clear('print');
    await s.step('reverseContinue');
    assert.equal(s.last?.body.description, 'Beginning of the recording');
    await s.breakAt('print');
    await s.walk('continue -> print');
  });

  debugTest('reverse continue stops before the write to watched data', 'bank.c', async (s) => {
    await s.breakAt('print');
    await s.run();
    const info = await s.client.request<{ dataId: string }>('dataBreakpointInfo', {
      name: 'mine.balance',
      frameId: s.last?.stackFrame?.id,
    });
    await s.client.request('setDataBreakpoints', { breakpoints: [{ dataId: info.dataId, accessType: 'write' }] });
    await s.walk(`
      reverseContinue   -> deposit
      value amount      -> 30
      reverseContinue   -> deposit
      value amount      -> 20
    `);
    assert.equal(s.last?.body.reason, 'data breakpoint');
  });

  debugTest('steps out backwards to the call', 'bank.c', async (s) => {
    await s.walk(`
      break deposit-count
      run               -> deposit-count
      reverseStepOut    -> call
      value i           -> 1
      stepBack          -> call
      stepBack          -> loop
    `);
  });

  debugTest('steps into the function that was called last', 'bank.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
      stepBack          -> loop
      reverseStepIn     -> deposit-end
      value amount      -> 30
      stepBack          -> deposit-return
      reverseStepOver   -> deposit-count
    `);
  });

  debugTest('goes back by instruction, also over a return', 'bank.c', async (s) => {
    await s.breakAt('print');
    await s.run();
    const pcs: string[] = [];
    for (let i = 0; i < 30; i++) {
      pcs.push((await s.step('stepBack', { granularity: 'instruction' })).stackFrame!.instructionPointerReference!);
    }
    for (const pc of pcs.slice(0, -1).reverse()) {
      const place = await s.step('next', { granularity: 'instruction' });
      if (place.stackFrame!.instructionPointerReference !== pc) {
        // next steps over a call: the way back went through it.
        break;
      }
    }
    assert.equal(new Set(pcs).size > 10, true);
  });

  debugTest('finds the last write, with the values before and after', 'crash.c', async (s) => {
    await s.walk('run -> SIGSEGV at crash');
    const answer = await s.client.timeTravel('chronofork/lastWrite', {
      expression: 'record->target',
      frameId: s.last!.stackFrame!.id,
    });
    assert.equal((await s.stopped()).text, 'bad-write');
    assert.equal(answer.outcome, 'found');
    assert.equal(answer.size, 8);
    assert.match(answer.newValue ?? '', /0x7fff000003ed|0x3ed000003ec|0x3ec/);
    assert.match(answer.oldValue ?? '', /0x7ff/);
    assert.equal(await s.evaluate('i'), '5');
    await s.walk(`
      lastWrite record->target -> bad-write
      value i                  -> 4
      lastWrite record->target -> good-write
    `);
  });

  debugTest('the end is no end', 'bank.c', async (s) => {
    await s.walk(`
      run               -> exit 0
    `);
    await s.breakAt('deposit-count');
    await s.walk(`
      reverseContinue   -> deposit-count
      value amount      -> 30
      reverseContinue   -> deposit-count
      value amount      -> 20
      continue          -> deposit-count
      clear deposit-count
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, 'balance 160\n');
  });

  debugTest('output is shown once', 'crash.c', async (s) => {
    await s.walk(`
      break start
      run               -> start
      clear start
      continue          -> SIGSEGV at crash
      seek begin        -> beginning at _start [ld-linux-x86-64.so.2]:0
      continue          -> SIGSEGV at crash
    `);
    assert.match(s.client.output.stdout ?? '', /^filling\nwaste \d+\n$/);
  });

  debugTest('seeks to checkpoints and bookmarks', 'bank.c', async (s) => {
    await s.walk(`
      break deposit
      run               -> deposit
    `);
    const { checkpoint } = await s.client.timeTravel('chronofork/checkpoint', {
      action: 'create',
      name: 'before the first',
      pinned: true,
    });
    assert.equal(checkpoint?.name, 'before the first');
    assert.equal(checkpoint?.pinned, true);
    assert.equal(checkpoint?.location?.line, s.line('deposit'));
    await s.walk(`
      continue          -> deposit
      continue          -> deposit
    `);
    const there = await s.step('chronofork/seek', { checkpoint: checkpoint!.id });
    assert.equal(there.text, 'deposit');
    assert.equal(await s.evaluate('amount'), '10');
    const timeline = await s.client.timeTravel('chronofork/timeline', {});
    assert.equal(timeline.live, false);
    const end: Timeline['end'] = timeline.end;
    assert.ok(end.order > timeline.present.order);
    await s.client.timeTravel('chronofork/checkpoint', { action: 'rename', id: checkpoint!.id, name: 'renamed' });
    const { checkpoints } = await s.client.timeTravel('chronofork/checkpoint', { action: 'list' });
    assert.equal(checkpoints.find(({ id }: Checkpoint) => id === checkpoint!.id)?.name, 'renamed');
    await s.step('chronofork/seek', { to: 'end' });
    assert.equal(await s.evaluate('amount'), '30');
    const refused = await s.client.refusal('chronofork/checkpoint', { action: 'delete', id: 99999 });
    assert.match(refused.message, /no longer exists/);
  });

  debugTest('a crash can be walked up to again', 'crash.c', async (s) => {
    await s.walk('run -> SIGSEGV at crash');
    for (let i = 0; i < 2; i++) {
      const arrival: Arrival = await s.client.timeTravel('chronofork/replayCrash', {});
      assert.ok(arrival.outcome === 'found' || arrival.outcome === 'begin');
      await s.stopped();
      await s.walk('continue -> SIGSEGV at crash');
    }
  });

  debugTest('a call to nowhere can be stepped back from', 'null_call.c', async (s) => {
    await s.launch();
    assert.match((await s.run()).text, /^SIGSEGV at /);
    assert.equal((await s.stack()).at(1)?.line, s.line('call'));
    await s.walk(`
      stepBack          -> call
      value plugin.uses -> 2
      lastWrite plugin.run -> clear
      stepBack          -> clear
      stepBack          -> unload
    `);
    assert.match((await s.step('continue')).text, /^SIGSEGV at /);
  });

  debugTest('a changed past goes on live, and the former line stays', 'bank.c', async (s) => {
    await s.walk(`
      break deposit
      run               -> deposit
      continue          -> deposit
      reverseContinue   -> deposit
      value amount      -> 10
      set amount = 1000
      clear deposit
      continue          -> exit 1
    `);
    assert.match(s.client.output.stdout ?? '', /balance 1150/);
    assert.match(s.client.output.console ?? '', /Going on live from here/);
    const { branches } = await s.client.timeTravel('chronofork/timeline', {});
    assert.equal(branches.length, 2);
    await s.breakAt('deposit');
    await s.walk(`
      reverseContinue   -> deposit
      value amount      -> 30
    `);
  });

  debugTest('a client that can ask is asked', 'bank.c', { launch: { onEditedContinue: 'ask' } }, async (s) => {
    await s.walk(`
      break deposit
      run               -> deposit
      continue          -> deposit
      reverseContinue   -> deposit
      set amount = 1000
      continue          -> deposit
    `);
    await s.client.event('chronofork/editedContinue');
    const present = await s.client.timeTravel('chronofork/present', {});
    assert.equal(present.edited, true);
    await s.client.timeTravel('chronofork/discardEdits', {});
    await s.stopped();
    await s.walk(`
      value amount      -> 10
      continue          -> deposit
      value amount      -> 20
    `);
  });
});
