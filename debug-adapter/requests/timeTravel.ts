/**
 * The custom requests about time (protocol/timeTravel.ts): each answers with
 * where it arrived, and a `stopped` event follows.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Progress } from '../progress.js';
import type { OperationResult, TimeOperation } from '../core/core.js';
import type { Debuggee } from '../debuggee.js';
import { ChronoforkError, messageOf } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import type { ArgumentsOf, Arrival, Checkpoint, Moment, ResponseOf, Timeline } from '../protocol/timeTravel.js';
import { Log } from '../log.js';
import { Operation } from '../timeline/operation.js';
import type { ReverseStepResult, Stepped } from '../timeline/reverseSteps.js';

const log = new Log('time');

const messages: Partial<Record<OperationResult['outcome'], string>> = {
  begin: 'This is the beginning of the recording.',
  end: 'This is the end of what has been recorded.',
  cancelled: 'Cancelled.',
};

/** Where an operation has arrived, as the client is told. */
export function arrivalOf({ result, message }: ReverseStepResult): Arrival {
  const { outcome, moment } = result;
  const said = message ?? messages[outcome];
  const seen = outcome === 'begin' || outcome === 'end' || outcome === 'cancelled' ? outcome : 'found';
  return { moment, outcome: seen, ...(said ? { message: said } : {}) };
}

/**
 * Carries out a jump with progress, and reports the stop that it ends with.
 * One that fails or is cancelled half-way leaves the session where it was.
 *
 * @param reason  of the `stopped` event of an ordinary arrival
 */
export async function runJump(
  context: Context,
  title: string,
  reason: string,
  action: () => Promise<ReverseStepResult>,
  reportAfter: (report: () => void) => void = (report) => report(),
): Promise<ReverseStepResult> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const { time, core } = debuggee;
  const start = core.present().moment.id;
  const progress = new Progress(context.client, title, context.requestId);
  time.begin(new Operation(context.requestId, progress, () => core.cancel()));
  try {
    await debuggee.breakpoints.enableLogpoints(false);
    debuggee.leave();
    const arrived = await action();
    time.end();
    if (arrived.result.outcome === 'cancelled') {
      await returnTo(debuggee, start);
      arrived.result.moment = core.present().moment;
    }
    reportAfter(() => debuggee.background(() => debuggee.stops.reportArrival(arrived.result, reason, arrived.message)));
    return arrived;
  } catch (error) {
    time.end();
    await returnTo(debuggee, start);
    // gdb's view is that of wherever the core is now.
    reportAfter(() => debuggee.background(() => debuggee.stops.reportPlain(reason, 'The jump in time failed')));
    throw error;
  } finally {
    time.end();
  }
}

/** After some jumps of several: back to where they began, if that is still known. */
export async function returnTo({ core, time }: Debuggee, moment: number): Promise<void> {
  if (core.present().moment.id === moment) return;
  await time.jump({ kind: 'seek', moment }).catch((error: unknown) => log.write('error', messageOf(error)));
}

export function jumpFor(
  context: Context,
  title: string,
  reason: string,
  action: (debuggee: Debuggee) => Promise<ReverseStepResult>,
): Promise<ReverseStepResult> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  // A client does not know that these requests resume; VS Code would go on showing the reason of the stop before.
  const { place } = debuggee;
  context.client.send('continued', { ...(place ? { threadId: place.tid } : {}), allThreadsContinued: true });
  return runJump(
    context,
    title,
    reason,
    () => action(context.debuggee()),
    (report) => context.afterResponse(report),
  );
}

async function plainJump(context: Context, title: string, operation: TimeOperation): Promise<Arrival> {
  const arrived = await jumpFor(context, title, 'goto', async (debuggee) => {
    const result = await debuggee.time.jump(operation);
    // Arriving there is what was asked for; it is the beginning all the same.
    return {
      result: operation.kind === 'seekBegin' && result.outcome === 'found' ? { ...result, outcome: 'begin' } : result,
    };
  });
  return arrivalOf(arrived);
}

async function timeline(context: Context): Promise<ResponseOf<'chronofork/timeline'>> {
  const debuggee = context.debuggee();
  const known = debuggee.core.timeline();
  const ended = known.ended ?? crashAt(debuggee, known.end);
  const { crash, heldPresent: held } = debuggee;
  return {
    ...known,
    ...(held ? { present: held.moment, live: held.live } : {}),
    branches: debuggee.notes.ofBranches(known.branches),
    checkpoints: await debuggee.checkpoints(),
    ...(ended ? { ended } : {}),
    ...(crash ? { crash } : {}),
  };
}

/** A program that stands before its fatal signal has ended as far as its user is concerned. */
function crashAt({ crash }: Debuggee, end: Moment): { signal: string } | undefined {
  const there = crash?.moment.branch === end.branch && crash.moment.event === end.event && crash.moment.pc === end.pc;
  return crash && there ? { signal: crash.signal } : undefined;
}

async function present(context: Context): Promise<ResponseOf<'chronofork/present'>> {
  const debuggee = context.debuggee();
  return debuggee.heldPresent ?? debuggee.core.present();
}

async function seek(context: Context, args: ArgumentsOf<'chronofork/seek'>): Promise<Arrival> {
  if ('checkpoint' in args)
    return plainJump(context, 'Going to the checkpoint', { kind: 'seekCheckpoint', checkpoint: args.checkpoint });
  if ('moment' in args) return plainJump(context, 'Going there', { kind: 'seek', moment: args.moment });
  if ('event' in args) {
    const { event, branch, passing } = args;
    if (!isCount(event)) throw new ChronoforkError('invalidArguments', 'chronofork/seek needs "event" from 0 on.');
    return plainJump(context, 'Going to that event', { kind: 'seekEvent', event, ...onBranch(branch, passing) });
  }
  if ('timeMs' in args) {
    const { timeMs, branch, passing } = args;
    if (!(timeMs >= 0)) throw new ChronoforkError('invalidArguments', 'chronofork/seek needs "timeMs" from 0 on.');
    return plainJump(context, 'Going to that time', { kind: 'seekTime', timeMs, ...onBranch(branch, passing) });
  }
  if (args.to === 'begin') return plainJump(context, 'Going to the beginning', { kind: 'seekBegin' });
  if (args.to === 'end') return plainJump(context, 'Going to the end', { kind: 'seekEnd' });
  throw new ChronoforkError(
    'invalidArguments',
    'chronofork/seek needs "checkpoint", "moment", "event", "timeMs" or "to".',
  );
}

function isCount(number: unknown): boolean {
  return Number.isInteger(number) && (number as number) >= 0;
}

function onBranch(branch: number | undefined, passing: boolean | undefined): { branch?: number; passing?: boolean } {
  return { ...(branch === undefined ? {} : { branch }), ...(passing ? { passing } : {}) };
}

/** A line of output was clicked: to the call that wrote it, and in the program's own source, if that is on the stack. */
async function locations(
  context: Context,
  { locationReference }: DebugProtocol.LocationsArguments,
): Promise<DebugProtocol.LocationsResponse['body']> {
  const debuggee = context.debuggee();
  const place = debuggee.links?.placeOf(locationReference);
  if (!place) throw new ChronoforkError('invalidArguments', 'That line of output is no longer known.');
  debuggee.requireStopped();
  const event = await debuggee.history.eventOf(place);
  if (event === undefined)
    throw new ChronoforkError('invalidArguments', 'Which call wrote that line is not known: a child may have done so.');
  await plainJump(context, 'Going to that line of output', { kind: 'seekEvent', event, branch: place.branch });
  const tid = (await debuggee.gdb.call<{ tid: number } | null>('stop'))?.tid;
  const { frames } = await debuggee.gdb.call<{ frames: { path?: string; line?: number }[] }>('stack', {
    tid,
    start: 0,
    count: 50,
  });
  const own = frames.find(({ path }) => path && existsSync(path));
  if (!own?.path) throw new ChronoforkError('noCode', 'You are there; but no source is known of that moment.');
  return { source: { name: basename(own.path), path: own.path }, line: own.line ?? 1 };
}

async function history(
  context: Context,
  args: ArgumentsOf<'chronofork/history'>,
): Promise<ResponseOf<'chronofork/history'>> {
  const { history: known, execution } = context.debuggee();
  return known.answer(args, !execution.running);
}

async function checkpoint(
  context: Context,
  args: ArgumentsOf<'chronofork/checkpoint'>,
): Promise<ResponseOf<'chronofork/checkpoint'>> {
  const debuggee = context.debuggee();
  const { core } = debuggee;
  let made: Checkpoint | undefined;
  switch (args.action) {
    case 'list':
      break;
    case 'create':
      debuggee.requireStopped();
      made = await core.createCheckpoint(args.name === undefined ? 'user' : 'bookmark', args.name);
      if (args.pinned) await core.setCheckpoint(made.id, { pinned: true });
      break;
    case 'delete':
      await core.deleteCheckpoint(args.id);
      debuggee.notes.forgetCheckpoint(args.id);
      break;
    case 'pin':
    case 'unpin':
      await core.setCheckpoint(args.id, { pinned: args.action === 'pin' });
      break;
    case 'rename':
      await core.setCheckpoint(args.id, { name: args.name });
      break;
    case 'note':
      debuggee.notes.noteCheckpoint(core.timeline(), args.id, args.note);
      break;
    default:
      throw new ChronoforkError(
        'invalidArguments',
        'chronofork/checkpoint needs an "action": list, create, delete, pin, unpin, rename or note.',
      );
  }
  if (args.action !== 'list') debuggee.timelineReporter.now();
  const checkpoints = await debuggee.checkpoints();
  const shown = made && checkpoints.find(({ id }) => id === made.id);
  return { checkpoints, ...(shown ? { checkpoint: shown } : {}) };
}

export function steppedBy(args: { threadId: number; singleThread?: boolean }): Stepped {
  return { tid: args.threadId, alone: args.singleThread ?? false };
}

async function reverseStepOver(context: Context, args: ArgumentsOf<'chronofork/reverseStepOver'>): Promise<Arrival> {
  const step = (debuggee: Debuggee) => debuggee.reverseSteps.over(steppedBy(args), args.granularity ?? 'line');
  return arrivalOf(await jumpFor(context, 'Stepping back', 'step', step));
}

async function reverseStepIn(context: Context, args: ArgumentsOf<'chronofork/reverseStepIn'>): Promise<Arrival> {
  const step = (debuggee: Debuggee) => debuggee.reverseSteps.into(steppedBy(args), args.granularity ?? 'line');
  return arrivalOf(await jumpFor(context, 'Stepping back into', 'step', step));
}

async function reverseStepOut(context: Context, args: ArgumentsOf<'chronofork/reverseStepOut'>): Promise<Arrival> {
  const step = (debuggee: Debuggee) => debuggee.reverseSteps.out(steppedBy(args));
  return arrivalOf(await jumpFor(context, 'Stepping back to the caller', 'step', step));
}

async function runBackTo(
  context: Context,
  args: ArgumentsOf<'chronofork/runBackTo'>,
): Promise<ResponseOf<'chronofork/runBackTo'>> {
  const { path, line } = args;
  if (typeof path !== 'string' || !Number.isInteger(line) || line < 1)
    throw new ChronoforkError('invalidArguments', 'chronofork/runBackTo needs a "path" and a "line", from 1 on.');
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const places = await debuggee.breakpoints.placesOf(path, line);
  const title = `Looking for the last time at line ${places.line}`;
  const arrived = await jumpFor(context, title, 'goto', async ({ reverseSteps }) => {
    const result = await reverseSteps.backTo(places.addresses);
    const never = `Line ${places.line} of ${basename(path)} was not executed before: this is the beginning of the recording.`;
    return { result, ...(result.outcome === 'begin' ? { message: never } : {}) };
  });
  return { ...arrivalOf(arrived), line: places.line };
}

async function branch(
  context: Context,
  args: ArgumentsOf<'chronofork/branch'>,
): Promise<ResponseOf<'chronofork/branch'>> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const made = await debuggee.core.branch(args.name);
  debuggee.atEnd = false;
  context.afterResponse(() => debuggee.timelineReporter.now());
  return made;
}

async function renameBranch(
  context: Context,
  args: ArgumentsOf<'chronofork/renameBranch'>,
): Promise<ResponseOf<'chronofork/renameBranch'>> {
  const debuggee = context.debuggee();
  debuggee.notes.nameBranch(debuggee.core.timeline(), args.id, args.name);
  debuggee.timelineReporter.now();
  return { branches: debuggee.notes.ofBranches(debuggee.core.timeline().branches) };
}

async function discardEdits(context: Context): Promise<Arrival> {
  const debuggee = context.debuggee();
  const { live, edited, moment } = debuggee.core.present();
  if (live || !edited) throw new ChronoforkError('nothingChanged', 'Nothing was changed here.');
  if (!context.client.capabilities.supportsInvalidatedEvent)
    return plainJump(context, 'Forgetting the change', { kind: 'seek', moment: moment.id });
  // The same moment: no stop is reported, so that the client may continue at once.
  debuggee.requireStopped();
  debuggee.leave();
  const result = await debuggee.time.jump({ kind: 'seek', moment: moment.id });
  context.afterResponse(() => {
    context.client.send('invalidated', { areas: ['all'] });
    debuggee.timelineReporter.now();
  });
  return arrivalOf({ result });
}

/** To the last checkpoint before the fatal signal: from there the user walks up to it again. */
async function replayCrash(context: Context): Promise<Arrival> {
  const { core, crash } = context.debuggee();
  const timeline = core.timeline();
  const moment = crash?.moment ?? (timeline.ended?.signal ? timeline.end : undefined);
  if (!moment) throw new ChronoforkError('invalidArguments', 'The program has not crashed.', 'Continue until it does.');
  const last = lastBefore(timeline, moment);
  if (!last) return plainJump(context, 'Going to the beginning', { kind: 'seekBegin' });
  return plainJump(context, 'Going to before the crash', { kind: 'seekCheckpoint', checkpoint: last.id });
}

type Ways = Pick<Timeline, 'checkpoints' | 'branches'>;

/** The last checkpoint on the way to a moment, which may be of an earlier answer: so not by `order`. */
function lastBefore({ checkpoints, branches }: Ways, moment: Moment): Checkpoint | undefined {
  const isEarlier = (one: Moment) =>
    one.event < moment.event || (one.event === moment.event && one.timeMs < moment.timeMs);
  const own = checkpoints.filter((one) => one.moment.branch === moment.branch && isEarlier(one.moment));
  if (own.length > 0) return own.reduce((last, one) => (one.moment.order > last.moment.order ? one : last));
  const from = branches.find(({ id }) => id === moment.branch)?.from;
  return from && (checkpoints.find((one) => one.moment.id === from.id) ?? lastBefore({ checkpoints, branches }, from));
}

export const timeTravelHandlers: Handlers = {
  'chronofork/timeline': timeline,
  'chronofork/present': present,
  locations,
  'chronofork/history': history,
  'chronofork/seek': seek,
  'chronofork/checkpoint': checkpoint,
  'chronofork/reverseStepOver': reverseStepOver,
  'chronofork/reverseStepIn': reverseStepIn,
  'chronofork/reverseStepOut': reverseStepOut,
  'chronofork/runBackTo': runBackTo,
  'chronofork/branch': branch,
  'chronofork/renameBranch': renameBranch,
  'chronofork/discardEdits': discardEdits,
  'chronofork/replayCrash': replayCrash,
};

/** Custom requests whose errors the client shows itself. */
export function isTimeTravelRequest(request: DebugProtocol.Request): boolean {
  return request.command.startsWith('chronofork/');
}
