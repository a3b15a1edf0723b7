/** Breakpoints of every kind, set before and while the debuggee runs. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest } from '../dsl/debugTest.js';

type Breakpoints = { breakpoints: DebugProtocol.Breakpoint[] };

describe('breakpoints', () => {
  debugTest('stop at each hit, and no more once cleared', 'bank.c', async (s) => {
    await s.walk(`
      break deposit
      run               -> deposit
      value amount      -> 10
      continue          -> deposit
      value amount      -> 20
      clear deposit
      break print
      continue          -> print
    `);
    assert.deepEqual(s.last?.body.reason, 'breakpoint');
    assert.equal(s.last?.body.hitBreakpointIds?.length, 1);
  });

  debugTest('hold back until their condition is true', 'bank.c', async (s) => {
    await s.breakAt('deposit', { condition: 'amount == 30' });
    await s.walk(`
      run               -> deposit
      value deposits    -> 2
    `);
  });

  debugTest('count hits', 'recursion.c', async (s) => {
    await s.breakAt('count', { hitCondition: '3' });
    await s.breakAt('print');
    await s.walk(`
      run               -> count
      value n           -> 2
      continue          -> print
    `);
  });

  debugTest('stop at every second hit', 'bank.c', async (s) => {
    await s.breakAt('deposit', { hitCondition: '%2' });
    await s.breakAt('print');
    await s.walk(`
      run               -> deposit
      value amount      -> 20
      continue          -> print
    `);
  });

  debugTest('print and go on, without ending a step', 'bank.c', async (s) => {
    await s.breakAt('deposit', { logMessage: 'paying {amount} to {account->owner} {{ok}}' });
    await s.breakAt('start');
    await s.walk(`
      run               -> start
      next              -> total
      next              -> loop
      next              -> call
      next              -> loop
    `);
    await s.client.outputHas('console', 'paying 10 to me {ok}');
  });

  debugTest('on functions', 'bank.c', async (s) => {
    await s.launch();
    const { breakpoints } = await s.client.request<Breakpoints>('setFunctionBreakpoints', {
      breakpoints: [{ name: 'deposit' }, { name: 'nothing_like_it' }],
    });
    assert.equal(breakpoints[0]?.verified, true);
    assert.equal(breakpoints[1]?.verified, false);
    assert.match(breakpoints[1]?.message ?? '', /No function of this name/);
    assert.equal((await s.run()).text, 'deposit-first');
    assert.equal(s.last?.body.reason, 'function breakpoint');
  });

  debugTest('on instructions', 'bank.c', async (s) => {
    await s.breakAt('deposit-first');
    await s.run();
    const pc = s.last!.stackFrame!.instructionPointerReference!;
    await s.clear('deposit-first');
    await s.client.request<Breakpoints>('setInstructionBreakpoints', { breakpoints: [{ instructionReference: pc }] });
    assert.equal((await s.step('continue')).text, 'deposit-first');
    assert.equal(s.last?.body.reason, 'instruction breakpoint');
  });

  debugTest('on data: written, and what it was and is', 'bank.c', async (s) => {
    await s.breakAt('loop');
    await s.run();
    await s.clear('loop');
    const locals = await s.locals();
    const mine = locals.find(({ name }) => name === 'mine')!;
    const info = await s.client.request<DebugProtocol.DataBreakpointInfoResponse['body']>('dataBreakpointInfo', {
      variablesReference: mine.variablesReference,
      name: 'balance',
    });
    assert.match(info.description, /balance \(4 bytes at 0x/);
    const { breakpoints } = await s.client.request<Breakpoints>('setDataBreakpoints', {
      breakpoints: [{ dataId: info.dataId, accessType: 'write' }],
    });
    assert.equal(breakpoints[0]?.verified, true);
    await s.step('continue');
    assert.equal(s.last?.body.reason, 'data breakpoint');
    assert.match(s.last?.body.text ?? '', /100 → 110/);
    assert.deepEqual(s.last?.body.hitBreakpointIds, [breakpoints[0]?.id]);
  });

  debugTest('say why they cannot be set', 'bank.c', async (s) => {
    await s.launch();
    const inMissing = await s.client.request<Breakpoints>('setBreakpoints', {
      source: { path: '/nowhere/missing.c' },
      breakpoints: [{ line: 3 }],
    });
    assert.equal(inMissing.breakpoints[0]?.verified, false);
    assert.match(inMissing.breakpoints[0]?.message ?? '', /No loaded code was built from missing\.c/);
    const bad = await s.client.request<Breakpoints>('setBreakpoints', {
      source: { path: s.program.source },
      breakpoints: [
        { line: s.line('deposit'), condition: 'no_such_name > 1' },
        { line: s.line('deposit'), hitCondition: 'often' },
        { line: 9999 },
      ],
    });
    assert.match(bad.breakpoints[0]?.message ?? '', /No symbol "no_such_name"/);
    assert.match(bad.breakpoints[1]?.message ?? '', /hit count "often" is not understood/);
    assert.match(bad.breakpoints[2]?.message ?? '', /There is no code on this line/);
  });

  debugTest('can be set while it runs', 'busy.c', async (s) => {
    await s.launch({ args: [] });
    await s.client.request('configurationDone');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const breakpoint = await s.breakAt('sleep');
    assert.equal(breakpoint.verified, true);
    assert.equal((await s.stopped()).text, 'sleep');
    assert.equal(s.last?.body.reason, 'breakpoint');
  });

  debugTest('may be set where code is: the lines are offered', 'bank.c', async (s) => {
    await s.launch();
    const { breakpoints } = await s.client.request<DebugProtocol.BreakpointLocationsResponse['body']>(
      'breakpointLocations',
      {
        source: { path: s.program.source },
        line: s.line('deposit-first'),
        endLine: s.line('deposit-end'),
      },
    );
    const lines = breakpoints.map(({ line }) => line);
    assert.deepEqual(
      lines,
      ['deposit-first', 'deposit', 'deposit-history', 'deposit-count', 'deposit-return', 'deposit-end'].map((m) =>
        s.line(m),
      ),
    );
  });
});
