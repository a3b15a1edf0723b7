/** Crashes, C++ exceptions and other signals. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest } from '../dsl/debugTest.js';

type Info = DebugProtocol.ExceptionInfoResponse['body'];

describe('exceptions', () => {
  debugTest('a crash stops before the process is gone, and says why', 'crash.c', async (s) => {
    await s.walk('run -> SIGSEGV at crash');
    const info = await s.client.request<Info>('exceptionInfo', { threadId: s.threadId });
    assert.equal(info.exceptionId, 'SIGSEGV');
    assert.match(info.description ?? '', /Segmentation fault: .* 0x3ed00000003?|Segmentation fault/);
    assert.match(info.description ?? '', /nothing is mapped there/);
    assert.equal(await s.evaluate('record->values[0]'), '1000');
  });

  debugTest('C++ throw and catch, when asked for', 'shapes.cc', async (s) => {
    await s.launch();
    await s.client.request('setExceptionBreakpoints', { filters: ['signals', 'throw', 'catch'] });
    await s.run();
    assert.equal(s.last?.body.reason, 'exception');
    const thrown = await s.client.request<Info>('exceptionInfo', { threadId: s.threadId });
    assert.equal(thrown.exceptionId, 'std::out_of_range');
    await s.step('continue');
    const caught = await s.client.request<Info>('exceptionInfo', { threadId: s.threadId });
    assert.match(caught.description ?? '', /caught/);
  });

  debugTest('are not made of signals that the program handles', 'busy.c', async (s) => {
    await s.launch({ args: ['1'] });
    await s.breakAt('return');
    await s.walk('run -> return');
    assert.equal(await s.evaluate('stop'), '1');
  });
});
