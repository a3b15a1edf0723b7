/**
 * Going to where a place in memory was written: last before now, first, or
 * next after now. The session stops before the instruction that writes.
 *
 *     last    the core searches backwards
 *     first   the first row of a query over the whole recording; of a variable
 *             on the stack, from where its function was called
 *     next    the first row of a query from the present on, behind the
 *             instruction that one stands at
 *
 * Easy to get wrong: what is at a query's beginning belongs to its answer, and
 * one stands *before* a write. So for the next one the present instruction is
 * executed first; only then is the first row the next write and never this one.
 */
import type { OperationResult } from '../core/core.js';
import type { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import type { ArgumentsOf, ResponseOf } from '../protocol/timeTravel.js';
import { refuseIfCancelled } from '../timeline/queries.js';
import type { ReverseStepResult } from '../timeline/reverseSteps.js';
import { arrivalOf, jumpFor } from './timeTravel.js';

type PlaceArguments = ArgumentsOf<'chronofork/lastWrite'>;
type Written = ResponseOf<'chronofork/lastWrite'>;

/** The stack frame that a variable lives in. */
interface PlaceFrame {
  tid: number;
  function: string;
  entry: string;
  /** null: not known, as of main, whose caller gdb does not show. */
  cfa: string | null;
}

interface Place {
  expression: string;
  address: string;
  size: number;
  path: string | null;
  value: string;
  frame?: PlaceFrame | null;
}

/** @param request  whose arguments they are, for the sentence of a refusal */
export async function placeFor(
  debuggee: Debuggee,
  args: PlaceArguments,
  request = 'chronofork/lastWrite',
): Promise<Place> {
  if ('address' in args) {
    const { address, size } = args;
    if (!/^0x[0-9a-f]+$/i.test(address) || !Number.isInteger(size) || size < 1)
      throw new ChronoforkError('invalidArguments', `${request} needs an "address" as 0x… and a "size" in bytes.`);
    return { expression: address, address, size, path: null, value: '' };
  }
  try {
    return await debuggee.gdb.call<Place>(
      'place_in_memory',
      'variablesReference' in args
        ? { ref: args.variablesReference, name: args.name }
        : { expression: args.expression, ...debuggee.frameArguments(args.frameId) },
    );
  } catch (error) {
    if (!(error instanceof ChronoforkError)) throw error;
    throw new ChronoforkError(
      'notInMemory',
      error.message,
      'Give an address and a size, or look at it where it is in memory.',
    );
  }
}

type Way = (debuggee: Debuggee, place: Place) => Promise<ReverseStepResult>;

/** Goes to a write of the place that the arguments name, and tells its values before and after. */
async function goToWrite(context: Context, args: PlaceArguments, which: 'last' | 'first' | 'next', way: Way) {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const place = await placeFor(debuggee, args, `chronofork/${which}Write`);
  const { expression, address, size } = place;
  const title = `Looking for the ${which} write of ${expression}`;
  const arrived = await jumpFor(context, title, 'data breakpoint', () => way(debuggee, place));
  const gone = await gonePlace(debuggee, place, arrived.result);
  const message = [arrived.message, gone].filter(Boolean).join(' ');
  return {
    place,
    found: arrived.result.outcome === 'found',
    answer: { ...arrivalOf({ result: arrived.result, ...(message ? { message } : {}) }), expression, address, size },
  };
}

/** Why the memory is not that variable's at the moment arrived at; undefined where it is. */
async function gonePlace(
  { gdb }: Debuggee,
  { frame, expression }: Place,
  { outcome }: OperationResult,
): Promise<string | undefined> {
  if (!frame || outcome !== 'found') return undefined;
  const { tid, entry, cfa } = frame;
  if (await gdb.call<boolean>('is_on_stack', { tid, entry, cfa }).catch(() => false)) return undefined;
  return `This is outside of the call of ${frame.function} that ${expression} belongs to: its memory served another purpose then.`;
}

/** The bytes as they are here, of the type of the place: by address, because the name may mean nothing here. */
async function valueHere({ gdb }: Debuggee, { path }: Place): Promise<string | undefined> {
  if (!path) return undefined;
  return gdb.call<{ value: string }>('evaluate', { expression: path }).then(
    ({ value }) => value,
    () => undefined,
  );
}

async function lastWrite(context: Context, args: PlaceArguments): Promise<Written> {
  const { place, answer } = await goToWrite(context, args, 'last', async ({ time }, { address, size, expression }) => {
    const result = await time.jump({ kind: 'lastWrite', address, size });
    const never = `${expression} was not written since the beginning of the recording.`;
    return { result, ...(result.outcome === 'begin' ? { message: never } : {}) };
  });
  const before = await valueHere(context.debuggee(), place);
  return {
    ...answer,
    ...(before === undefined ? {} : { oldValue: before }),
    ...(place.value ? { newValue: place.value } : {}),
  };
}

/** The values before and after the write that one stands at, as the query has noted them. */
type Noted = { values?: (string | null)[] };

/** The first write to the place from `from` on (absent: the beginning), to which the session goes. */
async function toFirstRow(
  { core, time }: Debuggee,
  { address, size }: Place,
  noted: Noted,
  from?: number,
): Promise<OperationResult | undefined> {
  const range = from === undefined ? {} : { from };
  const answer = refuseIfCancelled(await core.ask({ kind: 'writes', address, size, mostRows: 1, ...range }));
  if (answer.cancelled && answer.total === 0)
    return { outcome: 'cancelled', moment: core.present().moment } satisfies OperationResult;
  if (answer.total === 0) return undefined;
  const row = core.rows(answer.id, 0, 1)[0]!;
  noted.values = row.values;
  return time.jump({ kind: 'seek', moment: row.moment.id });
}

/** To the entry of the call that the variable belongs to; undefined where that is not known. */
async function toFrameEntry(
  { core, time, gdb }: Debuggee,
  { address }: Place,
  { tid, entry, cfa }: PlaceFrame,
): Promise<OperationResult | undefined> {
  const { pc, rsp } = await gdb.call<{ pc: string; rsp: string }>('where', { tid });
  if (BigInt(pc) === BigInt(entry) && BigInt(rsp) > BigInt(address))
    return { outcome: 'found', moment: core.present().moment };
  // Calls from within are entered with a stack that ends below the variable.
  const rspMax = cfa ?? '0x7fffffffffff';
  const places = [{ address: entry, group: 0, rspMin: address, rspMax }];
  const operation = { kind: 'lastTransition', places, stopAtBreakpoints: false, tid, alone: true } as const;
  const result = await time.jump({ ...operation, places });
  return result.outcome === 'begin' ? undefined : result;
}

async function firstWrite(context: Context, args: PlaceArguments): Promise<Written> {
  const noted: Noted = {};
  const { place, answer, found } = await goToWrite(context, args, 'first', async (debuggee, place) => {
    const start = debuggee.core.present().moment;
    const entered = place.frame ? await toFrameEntry(debuggee, place, place.frame) : undefined;
    if (entered && entered.outcome !== 'found') return { result: entered };
    const from = entered ? debuggee.core.present().moment.id : undefined;
    const found = await toFirstRow(debuggee, place, noted, from);
    if (found) return { result: found };
    const result = await debuggee.time.jump({ kind: 'seek', moment: start.id });
    const since = entered ? `since ${place.frame?.function} was called` : 'in the whole recording';
    return { result: { ...result, outcome: 'end' }, message: `${place.expression} was not written ${since}.` };
  });
  return { ...answer, ...(found ? await notedTexts(context, place, noted) : {}) };
}

async function nextWrite(context: Context, args: PlaceArguments): Promise<Written> {
  const noted: Noted = {};
  const { place, answer, found } = await goToWrite(context, args, 'next', async (debuggee, place) => {
    const { core, time, execution } = debuggee;
    const start = core.present();
    const none = async (message: string): Promise<ReverseStepResult> => {
      const to = start.live ? ({ kind: 'seekEnd' } as const) : ({ kind: 'seek', moment: start.moment.id } as const);
      return { result: { ...(await time.jump(to)), outcome: 'end' }, message };
    };
    if (start.live)
      return none(`This is the end of what has been recorded: a later write to ${place.expression} has not happened.`);
    await debuggee.chooseThread();
    await execution.run('-exec-step-instruction', undefined, false);
    const later = `${place.expression} is not written again before the end of the recording.`;
    if (core.present().live) return none(later);
    const found = await toFirstRow(debuggee, place, noted, core.present().moment.id);
    return found ? { result: found } : none(later);
  });
  return { ...answer, ...(found ? await notedTexts(context, place, noted) : {}) };
}

/** What the query has noted, by gdb's text for the type; of a place without one, nothing. */
async function notedTexts(
  context: Context,
  { path }: Place,
  { values = [] }: Noted,
): Promise<{ oldValue?: string; newValue?: string }> {
  if (!path) return {};
  const { gdb } = context.debuggee();
  const type = await gdb.call<{ handle: number } | null>('memory_type', { path }).catch(() => null);
  if (!type) return {};
  const [oldValue, newValue] = await gdb.call<(string | null)[]>('format_noted', {
    handle: type.handle,
    values: values.slice(0, 2),
  });
  return { ...(oldValue ? { oldValue } : {}), ...(newValue ? { newValue } : {}) };
}

export const writeHandlers: Handlers = {
  'chronofork/lastWrite': lastWrite,
  'chronofork/firstWrite': firstWrite,
  'chronofork/nextWrite': nextWrite,
};
