/**
 * A crash as a chain: the fault, the pointer that it went through, the last
 * write of that pointer, and where that value came from.
 *
 *     account->number            ← the fault: 0x2e5 is no place of the program's
 *     account = customer->account  the last write of `account`
 *     customer->recent[8] = …      the last write of `customer->account`
 *
 * Nothing is concluded that was not looked up: a pointer counts as the culprit
 * only if the fault's address follows from its value, and a link of the chain
 * only if its value is the same. Writes are looked for up to the present only.
 *
 * Who frees memory writes into it: glibc, and most other allocators, keep their
 * lists there. So a pointer that was last written by them was freed with what
 * it lay in, by whoever called them.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CodeLocation, Moment, WriteRow } from '../../debug-adapter/protocol/timeTravel.js';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import type { Follow } from '../protocol/historyProtocol.js';
import { pointersOn, sourceOf } from '../source/pointers.js';
import { presentFrame, valueOf, type PresentFrame } from './presentFrame.js';

/** As far behind a pointer as a member or an element of what it points to is believed to be. */
const reach_bytes = 4096n;
const longestChain = 4;
/** From the allocator's inside to who called it. */
const levels = 12;
const deallocators = /^(?:__GI_)?(?:__libc_)?(?:free|cfree|realloc|reallocarray)$|^operator delete\b|^_int_free\b/;
const signals = /^SIG[A-Z]+$/;

export interface ChainLink {
  readonly message: string;
  readonly path: string;
  /** From 1 on. */
  readonly line: number;
  readonly moment: Moment;
}

export interface Crash {
  readonly signal: string;
  readonly message: string;
  readonly path: string;
  /** From 1 on. */
  readonly line: number;
  readonly pointer?: { readonly expression: string; readonly value: string };
  readonly chain: readonly ChainLink[];
}

/** The crash that the session has stopped at, if it has. */
export async function crashAt(session: LiveSession, looked: Follow, token?: CancelToken): Promise<Crash | undefined> {
  if (session.view?.stop && session.view.stop.reason !== 'exception') return undefined;
  const info = await session
    .look<DebugProtocol.ExceptionInfoResponse['body']>('exceptionInfo', { threadId: session.view?.threadId }, token)
    .catch(() => undefined);
  const frame = info && signals.test(info.exceptionId) ? await presentFrame(session, looked, token) : undefined;
  if (!info || !frame) return undefined;
  const { path, line } = frame;
  const message = info.description ?? info.exceptionId;
  const pointer = frame.innermost ? await culprit(session, frame, message) : undefined;
  const chain = pointer ? await chainOf(session, frame, pointer.expression, pointer.value, token) : [];
  return { signal: info.exceptionId, message, path, line, ...(pointer ? { pointer } : {}), chain };
}

/** The pointer on the line from whose value the fault's address follows. */
async function culprit(
  session: LiveSession,
  frame: PresentFrame,
  message: string,
): Promise<Crash['pointer'] | undefined> {
  const address = /\b(0x[0-9a-f]+)\b/.exec(message)?.[1];
  if (address === undefined) return undefined;
  const fault = BigInt(address);
  for (const expression of pointersOn(lineOf(frame.path, frame.line))) {
    const value = await valueOf(session, frame.id, expression);
    const pointed = addressOf(value);
    if (value !== undefined && pointed !== undefined && pointed <= fault && fault < pointed + reach_bytes)
      return { expression, value };
  }
  return undefined;
}

async function chainOf(
  session: LiveSession,
  frame: PresentFrame,
  pointer: string,
  value: string,
  token?: CancelToken,
): Promise<ChainLink[]> {
  const chain: ChainLink[] = [];
  const wrong = addressOf(value);
  let expression: string | undefined = pointer;
  while (expression !== undefined && chain.length < longestChain) {
    const write: WriteRow | undefined = await lastWrite(session, frame.id, expression, token);
    if (!write) break;
    const { place, freed } = whoWrote(write);
    if (!place) break;
    const { path, line, function: writer } = place;
    const change = `${write.oldValue} → ${write.newValue}`;
    chain.push({
      message: freed
        ? `${expression} lies in memory that was freed here. The last write of it, ${change}, is by ${freed}`
        : `The last write of ${expression}: ${change}, by ${writerOf(write, place)}`,
      path,
      line,
      moment: write.moment,
    });
    if (freed) break;
    // What it was given there is known here too only if it was given in this call.
    const source: string | undefined = writer === frame.function ? sourceOf(lineOf(path, line), expression) : undefined;
    if (source === undefined || addressOf(await valueOf(session, frame.id, source)) !== wrong) break;
    expression = source;
  }
  return chain;
}

type Place = CodeLocation & { readonly path: string; readonly line: number };

/** The innermost function of the program's own that took part in a write, and whether it is that of freed memory. */
function whoWrote(write: WriteRow): { place: Place | undefined; freed: string | undefined } {
  const frames = write.stack ?? [write.location];
  const isOwn = (frame: CodeLocation): frame is Place =>
    frame.path !== undefined && frame.line !== undefined && existsSync(frame.path);
  const own = frames.findIndex(isOwn);
  const place = frames[own];
  const freed = frames.slice(0, Math.max(0, own)).findLast(({ function: name }) => deallocators.test(name ?? ''));
  return { place: place && isOwn(place) ? place : undefined, freed: freed?.function };
}

function writerOf({ by, location }: WriteRow, place: Place): string {
  if (by === 'kernel') return 'a system call';
  return location.function ?? place.function ?? 'the program';
}

/** Before the present: what comes after it is not what happened to it. */
async function lastWrite(
  session: LiveSession,
  frameId: number,
  expression: string,
  token?: CancelToken,
): Promise<WriteRow | undefined> {
  try {
    const { moment } = await session.ask('chronofork/present', {}, token);
    const found = await session.ask(
      'chronofork/writes',
      { expression, frameId, to: moment.id, count: 0, levels },
      token,
    );
    if (found.total === 0 || !found.complete) return undefined;
    const last = await session.ask(
      'chronofork/writes',
      { query: found.query, start: found.total - 1, count: 1 },
      token,
    );
    return last.rows[0];
  } catch {
    return undefined; // in a register, say
  }
}

function addressOf(value: string | undefined): bigint | undefined {
  const text = /(?:^|\s)(0x[0-9a-f]+)\b/.exec(value ?? '')?.[1];
  return text === undefined ? undefined : BigInt(text);
}

function lineOf(path: string, line: number): string {
  try {
    return readFileSync(path, 'utf8').split('\n')[line - 1] ?? '';
  } catch {
    return '';
  }
}
