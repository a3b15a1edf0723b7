/**
 * Running and stepping, forwards and backwards.
 *
 * Forwards is gdb's: at the end of what is recorded the core runs on into the
 * live process by itself. Backwards a step is a jump (reverseSteps.ts), and
 * reverse continue is gdb's own, stopping at its breakpoints.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { sendOutput } from '../client.js';
import type { Debuggee } from '../debuggee.js';
import { ChronoforkError } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import { Progress } from '../progress.js';
import { runJump, steppedBy } from './timeTravel.js';
import type { TimeTravelEvents } from '../protocol/timeTravel.js';
import { Operation } from '../timeline/operation.js';
import type { Granularity } from '../timeline/reverseSteps.js';

type ForwardRequest = TimeTravelEvents['chronofork/editedContinue']['command'];

/**
 * What must happen before going forwards from a moment in the past where
 * something was changed. False: the client shall ask its user first, and has
 * been told so.
 */
async function readyToGoForward(context: Context, threadId: number, request: ForwardRequest): Promise<boolean> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const { live, edited, moment } = debuggee.core.present();
  if (live || !edited) return true;
  switch (debuggee.config.onEditedContinue) {
    case 'branch': {
      const { message } = await debuggee.core.branch();
      sendOutput(
        context.client,
        'console',
        `Going on live from here, because something was changed.${message ? ` ${message}` : ''}\n`,
      );
      return true;
    }
    case 'discard':
      await debuggee.time.jump({ kind: 'seek', moment: moment.id });
      return true;
    case 'ask':
      context.afterResponse(() =>
        debuggee.background(async () => {
          await debuggee.stops.reportPlain('pause', 'Something was changed here');
          context.client.send('chronofork/editedContinue', { threadId, command: request });
        }),
      );
      return false;
  }
}

interface Resumed {
  threadId: number;
  singleThread?: boolean;
}

async function forward(
  context: Context,
  { threadId, singleThread }: Resumed,
  request: ForwardRequest,
  command: string,
  granularity: Granularity = 'line',
): Promise<void> {
  if (!(await readyToGoForward(context, threadId, request))) return;
  const debuggee = context.debuggee();
  await debuggee.breakpoints.enableLogpoints(true);
  const elsewhere = threadId !== 0 && debuggee.place !== undefined && threadId !== debuggee.place.tid;
  const isStep = request !== 'continue';
  await debuggee.chooseThread(isStep && threadId !== 0 ? threadId : undefined);
  const origin = isStep && granularity !== 'instruction' && !elsewhere ? debuggee.stepOrigin() : undefined;
  const alone = singleThread ? threadId : undefined;
  context.afterResponse(() => debuggee.resume(command, { origin, alone }));
}

async function continue_(
  context: Context,
  args: DebugProtocol.ContinueArguments,
): Promise<{ allThreadsContinued: boolean }> {
  const debuggee = context.debuggee();
  if (debuggee.atEnd) {
    context.afterResponse(() => void context.shutDown('exit'));
    return { allThreadsContinued: true };
  }
  await forward(context, args, 'continue', '-exec-continue');
  return { allThreadsContinued: !args.singleThread };
}

async function next(context: Context, args: DebugProtocol.NextArguments): Promise<void> {
  const instruction = args.granularity === 'instruction';
  const command = instruction ? '-exec-next-instruction' : '-exec-next';
  await forward(context, args, 'next', command, args.granularity);
}

async function stepIn(context: Context, args: DebugProtocol.StepInArguments): Promise<void> {
  const instruction = args.granularity === 'instruction';
  const command = instruction ? '-exec-step-instruction' : '-exec-step';
  await forward(context, args, 'stepIn', command, args.granularity);
}

async function stepOut(context: Context, args: DebugProtocol.StepOutArguments): Promise<void> {
  await forward(context, args, 'stepOut', '-exec-finish');
}

async function stepBack(context: Context, args: DebugProtocol.StepBackArguments): Promise<void> {
  const debuggee = context.debuggee();
  debuggee.requireStopped();
  const granularity: Granularity = args.granularity ?? 'line';
  context.afterResponse(() =>
    debuggee.background(async () => {
      await runJump(context, 'Stepping back', 'step', () => debuggee.reverseSteps.over(steppedBy(args), granularity));
    }),
  );
}

async function reverseContinue(context: Context, args: DebugProtocol.ReverseContinueArguments): Promise<void> {
  const debuggee = context.debuggee();
  const { execution, time } = debuggee;
  debuggee.requireStopped();
  const progress = new Progress(context.client, 'Going back', context.requestId);
  await debuggee.breakpoints.enableLogpoints(false);
  debuggee.requireStopped();
  await debuggee.chooseThread();
  time.begin(new Operation(context.requestId, progress, () => void execution.interrupt()));
  debuggee.leave();
  context.afterResponse(() =>
    debuggee.background(async () => {
      const alone = args.singleThread ? args.threadId : undefined;
      const stop = await debuggee
        .whileAlone(alone, () => execution.run('-exec-continue --reverse'))
        .finally(() => time.end());
      await debuggee.stops.report(stop, true);
    }),
  );
}

async function pause(context: Context): Promise<void> {
  const debuggee: Debuggee = context.debuggee();
  if (debuggee.time.operation) return debuggee.time.operation.cancel();
  if (!(await debuggee.execution.interrupt()))
    throw new ChronoforkError('invalidArguments', 'The program is stopped already.');
}

export const steppingHandlers: Handlers = {
  continue: continue_,
  next,
  stepIn,
  stepOut,
  stepBack,
  reverseContinue,
  pause,
};
