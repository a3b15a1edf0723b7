/** What the program looks like at some moments: stack and local variables. The session stays where it is. */
import { ChronoforkError } from '../errors.js';
import type { Context, Handlers } from '../handlers.js';
import type { ArgumentsOf, MomentState, ResponseOf } from '../protocol/timeTravel.js';
import { lookThrough } from './queries.js';

/** More than a person compares. */
const mostMoments = 16;
const usualLevels = 20;

async function states(
  context: Context,
  args: ArgumentsOf<'chronofork/states'>,
): Promise<ResponseOf<'chronofork/states'>> {
  const { moments, levels = usualLevels } = args;
  if (!Array.isArray(moments) || moments.length > mostMoments || !moments.every(Number.isInteger))
    throw new ChronoforkError(
      'invalidArguments',
      `chronofork/states needs "moments", the ids of at most ${mostMoments} of them.`,
    );
  const { core } = context.debuggee();
  return lookThrough(context, 'Looking at those moments', async (walk) => {
    const found: MomentState[] = [];
    for (const moment of moments) {
      await walk.goToMoment(moment);
      const state = await walk.call<Omit<MomentState, 'moment'>>('state_here', { levels });
      found.push({ moment: core.present().moment, ...state });
    }
    return { states: found };
  });
}

export const stateHandlers: Handlers = { 'chronofork/states': states };
