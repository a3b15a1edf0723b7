/**
 * The demo's session: runs examples/bank.c under Chronofork through the DAP,
 * and tells what happens while it happens.
 *
 *     run ──▶ crash ──lastWrite──▶ the guilty write ──stepBack──▶ the line before ──▶ the crash again
 *
 * Nothing it prints about the debuggee is written down here: places, values
 * and times are what the adapter answered. With `--test` it also compares them
 * with what the example is known to do, and ends with a line of counts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DapClient } from './lib/dapClient.js';
import { root } from './lib/run.mjs';

interface Crash {
  stop: Stop;
  /** What customer->account was then. */
  pointer: string;
}

interface Stop {
  reason: string;
  text: string;
  threadId: number;
  frameId: number;
  functionName: string;
  line: number;
  /** Callers, innermost first. */
  callers: string[];
}

const argumentsGiven = process.argv.slice(2);
const testing = argumentsGiven.includes('--test');
const [program = '', source = ''] = argumentsGiven;
const sourceLines = readFileSync(path.join(root, source), 'utf8').split('\n');
const results: { promise: string; kept: boolean }[] = [];

function promise(text: string, kept: boolean): void {
  results.push({ promise: text, kept });
}

const heading = (text: string) => console.log(`\n\x1b[1m${text}\x1b[0m`);
const say = (text: string) => console.log(`  ${text}`);

async function timed<T>(run: () => Promise<T>): Promise<{ result: T; text: string }> {
  const started = performance.now();
  const result = await run();
  const ms = performance.now() - started;
  return { result, text: ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s` };
}

/** Waits for the next stop and looks where it is. */
async function nextStop(client: DapClient): Promise<Stop> {
  const body = await client.take<DebugProtocol.StoppedEvent>('stopped');
  const threadId = body.threadId ?? 0;
  const stack = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId, levels: 20 });
  const [top, ...rest] = stack.stackFrames;
  if (!top) throw new Error('The debuggee stopped without a stack.');
  return {
    reason: body.reason,
    text: body.text ?? body.description ?? '',
    threadId,
    frameId: top.id,
    functionName: top.name,
    line: top.line,
    callers: rest.map((stackFrame) => `${stackFrame.name}:${stackFrame.line}`),
  };
}

async function evaluate(client: DapClient, expression: string, stop: Stop): Promise<string> {
  const answer = await client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', {
    expression,
    frameId: stop.frameId,
    context: 'watch',
  });
  return answer.result;
}

/** The address in what gdb prints for a pointer, e.g. `(struct account *) 0x2c5`. */
const hex = (value: string | undefined) => /0x[0-9a-f]+/.exec(value ?? '')?.[0];

function showPlace(stop: Stop): void {
  say(
    `${stop.functionName} at ${path.basename(source)}:${stop.line}, called by ${stop.callers.join(', ') || 'nobody'}`,
  );
  for (let line = stop.line - 1; line <= stop.line + 1; line++) {
    console.log(`  ${line === stop.line ? '▶' : ' '} ${String(line).padStart(3)}  ${sourceLines[line - 1] ?? ''}`);
  }
}

async function start(client: DapClient): Promise<void> {
  await client.request('initialize', {
    adapterID: 'chronofork',
    linesStartAt1: true,
    columnsStartAt1: true,
    pathFormat: 'path',
  });
  const launched = client.request('launch', { program: path.join(root, program), cwd: root, args: [] });
  // The answer to `launch` may come before or after the configuration; a refusal must not stay unseen.
  const refused = new Promise<never>((_, reject) => launched.catch(reject));
  await Promise.race([client.take<DebugProtocol.InitializedEvent>('initialized'), refused]);
  await client.request('configurationDone');
  await launched;
}

async function crash(client: DapClient): Promise<Crash> {
  heading(`Running ${program}`);
  const { result: stop, text } = await timed(async () => {
    await start(client);
    return nextStop(client);
  });
  say(`It crashed after ${text}: ${stop.text || stop.reason}`);
  showPlace(stop);
  // gdb shows the whole array; the zeros after the name's end say nothing.
  const name = (await evaluate(client, 'customer->name', stop)).replace(/(\\000)+"/, '"');
  const pointer = await evaluate(client, 'customer->account', stop);
  say(`customer->name    is ${name}`);
  say(`customer->account is ${pointer}, which is no address of an account`);
  promise('the crash is shown before the process is gone', stop.reason === 'exception');
  promise('it is in print_statement', stop.functionName.startsWith('print_statement'));
  return { stop, pointer };
}

async function backToTheWrite(client: DapClient, { stop: crashed, pointer }: Crash): Promise<void> {
  heading('Who wrote customer->account last?');
  const { result, text } = await timed(async () => {
    const answer = await client.timeTravel('chronofork/lastWrite', {
      expression: 'customer->account',
      frameId: crashed.frameId,
    });
    return { answer, stop: await nextStop(client) };
  });
  const { answer, stop } = result;
  say(`Found in ${text}, going back over the whole run:`);
  showPlace(stop);
  say(`customer->account was ${answer.oldValue}, a good pointer`);
  say(`                  and became ${answer.newValue}, an amount: ${Number(hex(answer.newValue))} cents`);
  const next = await evaluate(client, 'customer->next', stop);
  say(`customer->next is ${next}: the ring has places 0 to 7, and it is set back one too late`);
  const guilty = sourceLines[stop.line - 1] ?? '';
  promise('the last write is the line that stores past the ring', guilty.includes('recent[customer->next] = cents'));
  promise('the value before it was an account', /accounts/.test(answer.oldValue ?? ''));
  promise('the value after it is what crashed', hex(answer.newValue) === hex(pointer) && hex(pointer) !== undefined);
  const cents = await evaluate(client, 'cents', stop);
  promise('it is the amount that was to be remembered', Number(cents) === Number(hex(pointer)));
  promise('the index is one too large there', next === '8');
  await aStepFurther(client, stop);
}

async function aStepFurther(client: DapClient, from: Stop): Promise<void> {
  heading('Step Back, as often as wanted');
  const visited: Stop[] = [];
  for (let i = 0; i < 3; i++) {
    const { result: stop, text } = await timed(async () => {
      await client.request('stepBack', { threadId: from.threadId });
      return nextStop(client);
    });
    visited.push(stop);
    say(`${text.padStart(6)}  ${stop.functionName}:${stop.line}  ${(sourceLines[stop.line - 1] ?? '').trim()}`);
  }
  promise(
    'stepping back leaves the function for its caller',
    visited.some((stop) => stop.functionName.startsWith('post')),
  );
}

async function toTheCrashAgain(client: DapClient, { stop: crashed }: Crash): Promise<void> {
  heading('And forward to the crash again');
  const { result: stop, text } = await timed(async () => {
    await client.request('continue', { threadId: crashed.threadId });
    return nextStop(client);
  });
  say(`After ${text}, in ${stop.functionName} at line ${stop.line}: ${stop.text || stop.reason}`);
  const { checkpoints, memory } = await client.timeTravel('chronofork/timeline', {});
  say(
    `${checkpoints.length} checkpoints are kept; they hold ${(memory.usedBytes / 2 ** 20).toFixed(1)} MB of their own`,
  );
  promise('going forward arrives at the same crash', stop.line === crashed.line && stop.reason === 'exception');
}

async function main(): Promise<number> {
  const client = new DapClient([process.execPath, path.join(root, 'dist/cli.cjs'), 'dap']);
  client.onOutput = (text, category) => {
    if (category === 'stdout' || category === 'stderr') console.log(text.trimEnd().replace(/^/gm, '    | '));
  };
  try {
    const crashed = await crash(client);
    await backToTheWrite(client, crashed);
    await toTheCrashAgain(client, crashed);
  } catch (error) {
    console.error(`\nThe demo did not get to its end: ${error instanceof Error ? error.message : String(error)}`);
    promise('the session runs to its end', false);
  } finally {
    await client.close();
  }
  const broken = results.filter(({ kept }) => !kept);
  for (const { promise: text } of broken) console.error(`not so: ${text}`);
  if (testing) console.log(`${results.length - broken.length} passed, ${broken.length} failed, 0 skipped`);
  return broken.length > 0 ? 1 : 0;
}

process.exitCode = await main();
