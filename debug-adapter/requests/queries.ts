/**
 * Questions about the whole past (protocol/timeTravel.ts): hit counts, the
 * values of an expression, logpoints, writes, calls, and what differs between
 * two moments. Each answers with a page; the session stays where it is.
 */
import type { QueryAnswer, QueryPlace, QueryRow, QuerySpec } from '../core/core.js';
import type { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import { Progress } from '../progress.js';
import type {
  ArgumentsOf,
  CallRow,
  CodeLocation,
  DifferenceRow,
  LogRow,
  QueryRange,
  ResponseOf,
  ValueRow,
  WriteRow,
} from '../protocol/timeTravel.js';
import { Operation } from '../timeline/operation.js';
import {
  asRefusal,
  pageOf,
  refuseIfCancelled,
  type KeptQuery,
  type Walk as WalkType,
  Walk,
} from '../timeline/queries.js';
import type { FileFunction } from './program.js';
import { returnTo } from './timeTravel.js';
import { placeFor } from './writes.js';

const unreadable = '<not readable at this moment>';

/** Carries out what a query needs, with progress, and brings the session back to where it was. */
export async function lookThrough<T>(
  context: Context,
  title: string,
  action: (walk: WalkType) => Promise<T>,
): Promise<T> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const { core, gdb, time, timelineReporter } = debuggee;
  if (core.present().edited)
    throw new ChronoforkError(
      'editedPresent',
      'Something was changed here by hand, which does not belong to the recording.',
      'Forget the change, or go on from here, and ask again.',
    );
  const held = core.present();
  const start = held.moment.id;
  const progress = new Progress(context.client, title, context.requestId);
  time.begin(new Operation(context.requestId, progress, () => core.cancel()));
  timelineReporter.hold(true);
  debuggee.heldPresent = held;
  try {
    await debuggee.breakpoints.enableLogpoints(false);
    return await action(new Walk(core, gdb, time));
  } finally {
    time.end();
    await returnTo(debuggee, start);
    debuggee.heldPresent = undefined;
    timelineReporter.hold(false);
  }
}

type Kind = 'hitCounts' | 'valueHistory' | 'log' | 'writes' | 'calls' | 'diff';

/** A query that is made now, or a further page of one that was. */
async function answered<R>(
  context: Context,
  kind: Kind,
  title: string,
  args: object,
  make: (walk: WalkType, debuggee: Debuggee) => Promise<Omit<KeptQuery, 'kind'>>,
): Promise<R> {
  const debuggee = context.debuggee();
  return lookThrough(context, title, async (walk) => {
    const query =
      'query' in args
        ? debuggee.queries.find(args.query as number, kind)
        : debuggee.queries.keep({ kind, ...(await make(walk, debuggee)) });
    return (await pageOf(walk, query, args)) as R;
  });
}

function part({ from, to }: QueryRange): Pick<QuerySpec, 'from' | 'to'> {
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

function noCode(path: string, line?: number): ChronoforkError {
  return new ChronoforkError(
    'noCode',
    line === undefined ? `No loaded code was built from ${path}.` : `There is no code on line ${line} of ${path}.`,
    'If it is of a library that is not loaded at this moment, go to where it is. If the program was built elsewhere, set "sourceMap"; build it with -g.',
  );
}

// -- Hit counts ---------------------------------------------------------------------------

interface LinePlaces {
  line: number;
  addresses: string[];
}

async function hitCounts(
  context: Context,
  args: ArgumentsOf<'chronofork/hitCounts'>,
): Promise<ResponseOf<'chronofork/hitCounts'>> {
  return answered(context, 'hitCounts', 'Counting hits', args, async (walk) => {
    if ('query' in args || !args.source?.path) throw needs('hitCounts', '"source"');
    const { path } = args.source;
    const places = await walk.call<LinePlaces[]>('line_places', {
      path,
      first: args.line ?? 1,
      last: args.endLine ?? 2 ** 31 - 1,
    });
    if (places.length === 0) throw noCode(path, args.line === args.endLine ? args.line : undefined);
    const functions = args.functions ? await walk.call<FileFunction[]>('file_functions', { path }) : [];
    const addresses = [
      ...new Set([...places.flatMap((place) => place.addresses), ...functions.flatMap(({ entries }) => entries)]),
    ];
    const answer = refuseIfCancelled(
      await walk.ask({ kind: 'counts', places: addresses.map((address) => ({ address })), ...part(args) }),
    );
    const counts = new Map(addresses.map((address, index) => [address, answer.counts[index] ?? 0]));
    const sumOf = (own: readonly string[]) => own.reduce((sum, address) => sum + (counts.get(address) ?? 0), 0);
    const lines = places.map(({ line, addresses: own }) => ({ line, count: sumOf(own) }));
    const called = functions.map(({ name, line, endLine, entries }) => ({
      name,
      line,
      endLine,
      count: sumOf(entries),
    }));
    return {
      answer,
      total: lines.length,
      page: async (_walk, start, count) => ({
        lines: lines.slice(start, start + count),
        ...(args.functions ? { functions: called } : {}),
      }),
    };
  });
}

// -- Values at the hits of a line -----------------------------------------------------------

/** How gdb notes an expression at a place; null: it must be looked at in the moment. */
interface Noted {
  code: string;
  blockBytes: number;
  handle: number;
  /** Its text at the first hit, by gdb. */
  sample: string;
}

interface NotedPlace {
  place: QueryPlace;
  /** Of each expression; undefined: they must be looked at. */
  noted: Noted[] | undefined;
}

interface LineQuery extends QueryRange {
  path: string;
  line: number;
  expressions: string[];
  condition?: string | undefined;
}

/** The hits of a line with what is noted at each. */
async function hitsOf(walk: WalkType, query: LineQuery): Promise<{ answer: QueryAnswer; places: NotedPlace[] }> {
  const { path, line, expressions, condition } = query;
  const [found] = await walk.call<LinePlaces[]>('line_places', { path, first: line, last: line });
  if (!found) throw noCode(path, line);
  // Which of its places were reached at all is found at native speed.
  const all = found.addresses.map((address) => ({ address }));
  const counted = refuseIfCancelled(await walk.ask({ kind: 'counts', places: all, ...part(query) }));
  const reached = all.filter((_, index) => (counted.counts[index] ?? 0) > 0);
  const places: NotedPlace[] = [];
  for (const { address } of reached) places.push(await compile(walk, address, expressions, condition, query));
  const asked = places.length > 0 ? places.map(({ place }) => place) : all;
  const answer = refuseIfCancelled(await walk.ask({ kind: 'hits', places: asked, ...part(query) }));
  return { answer, places };
}

/** In the stack frame of the place's first hit; `called`: in that of the function, whatever is inlined there. */
async function compile(
  walk: WalkType,
  address: string,
  expressions: string[],
  condition: string | undefined,
  range: QueryRange,
  called = false,
): Promise<NotedPlace> {
  const first = refuseIfCancelled(await walk.ask({ kind: 'hits', places: [{ address }], mostRows: 1, ...part(range) }));
  if (first.total === 0) throw new ChronoforkError('cancelled', 'Cancelled.');
  await walk.goTo(walk.row(first, 0));
  const items = await walk
    .call<(Noted | null)[]>('compile_items', { expressions, called })
    .catch((error: unknown) => Promise.reject(asRefusal(error, 'invalidArguments', '')));
  const place: QueryPlace = { address };
  if (condition)
    place.condition = await walk.call<{ code: string }>('compile_condition', { expression: condition }).then(
      ({ code }) => code,
      (error: unknown) =>
        Promise.reject(
          asRefusal(error, 'notCompilable', "A query's condition is made of integers, pointers and comparisons."),
        ),
    );
  const noted = items.filter((item) => item !== null);
  if (noted.length < items.length) return { place, noted: undefined };
  const withItems = { address, items: noted.map(({ code, blockBytes }) => ({ code, blockBytes })) };
  // gdb's own text of the same moment is the proof.
  const again = refuseIfCancelled(await walk.ask({ kind: 'hits', places: [withItems], mostRows: 1, ...part(range) }));
  const texts = again.total > 0 ? await textsOf(walk, noted, [walk.row(again, 0)]) : [[]];
  const same = noted.every(({ sample }, index) => texts[0]?.[index] === sample);
  return same ? { place: { ...place, items: withItems.items }, noted } : { place, noted: undefined };
}

/** The noted expressions' texts, by row. */
async function textsOf(walk: WalkType, noted: readonly Noted[], rows: readonly QueryRow[]): Promise<string[][]> {
  const byItem = await Promise.all(
    noted.map(({ handle }, index) =>
      walk.call<(string | null)[]>('format_noted', { handle, values: rows.map(({ values }) => values[index] ?? null) }),
    ),
  );
  return rows.map((_, row) => byItem.map((texts) => texts[row] ?? unreadable));
}

/** The texts of a page's expressions: those of places that need it, by going there. */
async function valuesOfPage(
  walk: WalkType,
  places: readonly NotedPlace[],
  expressions: readonly string[],
  rows: readonly QueryRow[],
  how: { log?: boolean; called?: boolean } = {},
): Promise<string[][]> {
  const texts = new Map<QueryRow, string[]>();
  for (const [index, { noted }] of places.entries()) {
    const own = rows.filter(({ place }) => place === index);
    const found = noted
      ? await textsOf(walk, noted, own)
      : await walk.each(own, () => walk.call<string[]>('values_here', { expressions, ...how }));
    own.forEach((row, at) => texts.set(row, found[at]!));
  }
  return rows.map((row) => texts.get(row) ?? []);
}

async function valueHistory(
  context: Context,
  args: ArgumentsOf<'chronofork/valueHistory'>,
): Promise<ResponseOf<'chronofork/valueHistory'>> {
  return answered(context, 'valueHistory', 'Looking up past values', args, async (walk) => {
    if ('query' in args || !args.source?.path || !args.line || !args.expression)
      throw needs('valueHistory', '"source", "line" and "expression"');
    const { expression, line, condition } = args;
    const expressions = [expression];
    const { answer, places } = await hitsOf(walk, {
      ...part(args),
      path: args.source.path,
      line,
      condition,
      expressions,
    });
    return {
      answer,
      total: answer.total,
      page: async (now, start, count) => {
        const rows = now.rows(answer, start, count);
        const texts = await valuesOfPage(now, places, expressions, rows);
        return {
          expression,
          rows: rows.map(({ moment, thread }, index): ValueRow => {
            return { moment, threadId: thread, value: texts[index]?.[0] ?? unreadable };
          }),
        };
      },
    };
  });
}

/** `{{`, `}}` and `{expression}` of a log message, as in chronofork_breakpoints.py. */
function partsOf(message: string): { expressions: string[]; text: (values: readonly string[]) => string } {
  const pieces = message.split(/(\{\{|\}\}|\{[^{}]+\})/);
  const isExpression = (piece: string) => piece.length > 2 && piece.startsWith('{');
  const expressions = pieces.filter(isExpression).map((piece) => piece.slice(1, -1));
  const text = (values: readonly string[]) => {
    let next = 0;
    return pieces
      .map((piece) => {
        if (piece === '{{' || piece === '}}') return piece.slice(1);
        return isExpression(piece) ? (values[next++] ?? unreadable) : piece;
      })
      .join('');
  };
  return { expressions, text };
}

async function log(context: Context, args: ArgumentsOf<'chronofork/log'>): Promise<ResponseOf<'chronofork/log'>> {
  return answered(context, 'log', 'Logging the past', args, async (walk) => {
    if ('query' in args || !args.source?.path || !args.line || typeof args.message !== 'string')
      throw needs('log', '"source", "line" and "message"');
    const { expressions, text } = partsOf(args.message);
    const { line, condition } = args;
    const { answer, places } = await hitsOf(walk, {
      ...part(args),
      path: args.source.path,
      line,
      condition,
      expressions,
    });
    return {
      answer,
      total: answer.total,
      page: async (now, start, count) => {
        const rows = now.rows(answer, start, count);
        const texts = await valuesOfPage(now, places, expressions, rows, { log: true });
        return {
          rows: rows.map(({ moment, thread }, index): LogRow => {
            return { moment, threadId: thread, text: text(texts[index] ?? []) };
          }),
        };
      },
    };
  });
}

// -- Writes -------------------------------------------------------------------------------

/** Bytes without a type. */
function bytesText(bytes: string | null | undefined): string {
  return bytes ? (bytes.match(/../g) ?? []).join(' ') : unreadable;
}

async function writes(
  context: Context,
  args: ArgumentsOf<'chronofork/writes'>,
): Promise<ResponseOf<'chronofork/writes'>> {
  return answered(context, 'writes', 'Looking for writes', args, async (walk, debuggee) => {
    if ('query' in args) throw needs('writes', '"query"');
    const { expression, address, size, path } = await placeFor(debuggee, args, 'chronofork/writes');
    const type = path ? await walk.call<{ handle: number } | null>('memory_type', { path }) : null;
    const answer = refuseIfCancelled(await walk.ask({ kind: 'writes', address, size, ...part(args) }));
    const { levels = 0 } = args;
    const page = async (now: WalkType, start: number, count: number) => {
      const rows = now.rows(answer, start, count);
      const texts = async (which: number): Promise<(string | null)[]> => {
        const values = rows.map((row) => row.values[which] ?? null);
        return type ? now.call('format_noted', { handle: type.handle, values }) : values.map(bytesText);
      };
      const [before, after] = [await texts(0), await texts(1)];
      const locations = await now.call<CodeLocation[]>('writer_places', {
        writes: rows.map(({ moment, byKernel }) => ({ pc: moment.pc, kernel: byKernel })),
      });
      const stacks = levels > 0 ? await now.each(rows, () => now.call<CodeLocation[]>('stack_here', { levels })) : [];
      const shown = rows.map(({ moment, thread, byKernel }, index): WriteRow => ({
        moment,
        threadId: thread,
        oldValue: before[index] ?? unreadable,
        newValue: after[index] ?? unreadable,
        by: byKernel ? 'kernel' : 'program',
        location: locations[index] ?? {},
        ...(stacks[index] ? { stack: stacks[index] } : {}),
      }));
      return { expression, address, size, rows: shown };
    };
    return { answer, total: answer.total, page };
  });
}

// -- Calls ----------------------------------------------------------------------------------

interface FunctionPlace {
  name: string;
  entry: string;
  body: string;
  arguments: string[];
  inlined: number;
  returnType: string;
  returnIn?: 'rax' | 'xmm0' | 'memory' | 'rax:rdx';
  returnHandle?: number;
  returnBytes?: number;
}

async function calls(context: Context, args: ArgumentsOf<'chronofork/calls'>): Promise<ResponseOf<'chronofork/calls'>> {
  return answered(context, 'calls', 'Looking for calls', args, async (walk) => {
    if ('query' in args || !args.function) throw needs('calls', '"function"');
    const range = part(args);
    const called = await walk
      .call<FunctionPlace>('function_place', { name: args.function, path: args.source?.path ?? null })
      .catch((error: unknown) => Promise.reject(asRefusal(error, 'noSuchFunction', '')));
    const expressions = called.arguments;
    const counted = refuseIfCancelled(await walk.ask({ kind: 'counts', places: [{ address: called.body }], ...range }));
    const place: NotedPlace = counted.counts[0]
      ? await compile(walk, called.body, expressions, undefined, range, true)
      : { place: { address: called.body }, noted: [] };
    const answer = refuseIfCancelled(
      await walk.ask({
        kind: 'calls',
        places: [{ address: called.entry }, place.place],
        ...(called.returnIn === 'memory' ? { returnBlockBytes: called.returnBytes ?? 0 } : {}),
        ...range,
      }),
    );
    const items = place.place.items?.length ?? 0;
    const page = async (now: WalkType, start: number, count: number) => {
      const rows = now.rows(answer, start, count);
      const texts = await valuesOfPage(now, [place], expressions, rows, { called: true });
      const returns = await returnValues(now, called, rows, items);
      const callers = await now.call<CodeLocation[]>('callers', {
        addresses: rows.map(({ returnAddress }) => returnAddress),
      });
      const shown = rows.map(({ moment, thread, returned, returnAddress }, index): CallRow => {
        const value = returns[index];
        const caller = callers[index];
        return {
          moment,
          threadId: thread,
          arguments: expressions.map((name, at) => ({ name, value: texts[index]?.[at] ?? unreadable })),
          returned,
          ...(value === undefined ? {} : { returnValue: value }),
          ...(caller && BigInt(returnAddress) !== 0n ? { caller } : {}),
        };
      });
      return { function: called.name, returnType: called.returnType, rows: shown };
    };
    const message =
      called.inlined > 0
        ? `${called.name} is also inlined in ${called.inlined} places, which are no calls.`
        : undefined;
    return { answer, total: answer.total, page, message };
  });
}

async function returnValues(
  walk: WalkType,
  { returnIn, returnHandle }: FunctionPlace,
  rows: readonly QueryRow[],
  items: number,
): Promise<(string | undefined)[]> {
  if (returnIn === undefined || returnHandle === undefined) return [];
  const bytesOf = ({ values }: QueryRow): string | null => {
    const [rax, rdx, xmm0, block] = values.slice(items);
    if (returnIn === 'rax') return rax ?? null;
    if (returnIn === 'xmm0') return xmm0 ?? null;
    if (returnIn === 'rax:rdx') return rax && rdx ? rax + rdx : null;
    return block ?? null;
  };
  const texts = await walk.call<(string | null)[]>('format_noted', {
    handle: returnHandle,
    values: rows.map(bytesOf),
  });
  return rows.map(({ returned }, index) => (returned ? (texts[index] ?? unreadable) : undefined));
}

// -- Differences ------------------------------------------------------------------------------

/** A stretch of memory that differs, or the part of one that is in one variable. */
interface PieceOfMemory extends Pick<DifferenceRow, 'place' | 'kind' | 'size'> {
  /** Of the ranges that were asked about. */
  range: number;
  offset: number;
  /** How to look at the whole of it, by its address. */
  path?: string;
}

/** Each is looked up in gdb's symbols. */
const mostStretches = 20_000;

async function diff(context: Context, args: ArgumentsOf<'chronofork/diff'>): Promise<ResponseOf<'chronofork/diff'>> {
  return answered(context, 'diff', 'Comparing two moments', args, async (walk) => {
    if ('query' in args || args.from === undefined || args.to === undefined) throw needs('diff', '"from" and "to"');
    const { from, to } = args;
    const answer = refuseIfCancelled(await walk.ask({ kind: 'differences', from, to, mostRows: mostStretches }));
    const stretches = walk.rows(answer, 0, answer.total);
    const ranges = stretches.map(({ moment, values }) => ({ address: moment.pc, size: (values[0]?.length ?? 0) / 2 }));
    await walk.goToMoment(to);
    const found = await walk.call<PieceOfMemory[]>('memory_places', { ranges });
    const bytesOf = ({ range, offset, size }: PieceOfMemory, which: number) =>
      stretches[range]!.values[which]!.slice(2 * offset, 2 * (offset + size));
    // Between two differences of one stretch there may be some bytes that are the same.
    const pieces = found.filter((piece) => bytesOf(piece, 0) !== bytesOf(piece, 1));
    const page = async (now: WalkType, start: number, count: number) => {
      const shown = pieces.slice(start, start + count);
      if (shown.length === 0) return { rows: [] };
      const paths = shown.map(({ path }) => path ?? null);
      await now.goToMoment(to);
      const after = await now.call<(string | null)[]>('memory_values', { paths });
      await now.goToMoment(from);
      const before = await now.call<(string | null)[]>('memory_values', { paths });
      const rows = shown.map((piece, index): DifferenceRow => {
        const address = `0x${(BigInt(ranges[piece.range]!.address) + BigInt(piece.offset)).toString(16)}`;
        return {
          address,
          size: piece.size,
          place: piece.place,
          kind: piece.kind,
          oldValue: before[index] ?? bytesText(bytesOf(piece, 0)),
          newValue: after[index] ?? bytesText(bytesOf(piece, 1)),
        };
      });
      return { rows };
    };
    return { answer, total: pieces.length, page };
  });
}

function needs(request: Kind, what: string): ChronoforkError {
  return new ChronoforkError('invalidArguments', `chronofork/${request} needs ${what}.`);
}

export const queryHandlers: Handlers = {
  'chronofork/hitCounts': hitCounts,
  'chronofork/valueHistory': valueHistory,
  'chronofork/log': log,
  'chronofork/writes': writes,
  'chronofork/calls': calls,
  'chronofork/diff': diff,
};
