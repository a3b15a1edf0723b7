/**
 * A whole session, message for message, against a transcript that is kept:
 * what a client of the protocol sees must not change unnoticed.
 *
 *     CHRONOFORK_UPDATE_GOLDEN=1 npx mocha test/journeys/golden.test.ts
 *
 * writes it anew. What differs from run to run or from machine to machine
 * (process numbers, addresses, folders, times) is replaced; what comes when it
 * comes (output, progress, the timeline's own events) is left out.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { debugTest } from '../dsl/debugTest.js';

const folder = path.join(import.meta.dirname, 'golden');

const leftOut = /^(output|progress\w+|module|loadedSource|chronofork\/timelineChanged)$/;

/** Keys whose values are of this run: what they are called instead. */
const ofThisRun: Record<string, string> = {
  threadId: 'THREAD',
  systemProcessId: 'PROCESS',
  program: 'PROGRAM',
  cwd: 'FOLDER',
  path: 'SOURCE',
  order: 'ORDER',
  timeMs: 'TIME',
  event: 'EVENT',
};

type Message = DebugProtocol.Request & DebugProtocol.Response & DebugProtocol.Event;

function replaced(key: string, value: unknown): unknown {
  if (key === 'threads' && Array.isArray(value)) return value.map((one: object) => ({ ...one, id: 'THREAD' }));
  if (key === 'moment') return 'MOMENT';
  if (key in ofThisRun && typeof value !== 'object') return ofThisRun[key];
  return typeof value === 'string' ? value.replace(/0x[0-9a-f]+/g, '0xN') : value;
}

/** One line for a message, or none. */
function lineFor(text: string): string[] {
  const arrow = text.slice(0, 1);
  const message = JSON.parse(text.slice(2)) as Message;
  const json = (value: unknown) => (value === undefined ? '' : ` ${JSON.stringify(value, replaced)}`);
  if (message.type === 'request') return [`${arrow} ${message.command}${json(message.arguments)}`];
  if (message.type === 'event')
    return leftOut.test(message.event) ? [] : [`${arrow} event ${message.event}${json(message.body)}`];
  const verdict = message.success ? 'ok' : `refused: ${message.message}`;
  return [`${arrow} ${message.command} ${verdict}${json(message.body)}`];
}

function compare(name: string, transcript: readonly string[]): void {
  const file = path.join(folder, `${name}.txt`);
  const said = `${transcript.flatMap(lineFor).join('\n')}\n`;
  if (process.env.CHRONOFORK_UPDATE_GOLDEN) writeFileSync(file, said);
  assert.equal(said, readFileSync(file, 'utf8'));
}

describe('golden transcripts', () => {
  debugTest('stepping back, and the last write', 'bank.c', async (s) => {
    await s.walk(`
      break start
      break print
      run                -> start
      continue           -> print
    `);
    await s.client.request('threads');
    await s.locals();
    await s.walk(`
      stepBack           -> loop
      stepBack           -> call
      value total        -> 30
      lastWrite total    -> call
      reverseContinue    -> start
      seek end           -> print
    `);
    await s.client.request('disconnect', { terminateDebuggee: true });
    compare('stepping-back', s.client.transcript);
  });
});
