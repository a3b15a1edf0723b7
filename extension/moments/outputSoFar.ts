/**
 * The program's output up to a moment, from the history that the adapter keeps
 * of it. An adapter that keeps none answers with an error: then nothing is said.
 */
import type { Moment } from '../../debug-adapter/protocol/timeTravel.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';

/** A line (or a piece of one) that the program has written. */
export interface OutputMark {
  readonly event: number;
  readonly timeMs: number;
  readonly branch: number;
  readonly text: string;
}

interface HistoryMark {
  readonly kind: string;
  readonly event?: number;
  readonly timeMs?: number;
  readonly branch?: number;
  readonly text?: string;
}

/** All output of the present branch, in order; undefined where no history is kept. */
export async function outputMarks(session: TimelineSession): Promise<OutputMark[] | undefined> {
  try {
    const history = (await session.debugSession.customRequest('chronofork/history', {})) as { marks?: HistoryMark[] };
    return history.marks?.flatMap((mark) =>
      mark.kind === 'output' && mark.event !== undefined && mark.text !== undefined
        ? [{ event: mark.event, timeMs: mark.timeMs ?? 0, branch: mark.branch ?? 0, text: mark.text }]
        : [],
    );
  } catch {
    return undefined;
  }
}

export async function outputUntil(session: TimelineSession, moment: Moment): Promise<string | undefined> {
  const marks = await outputMarks(session);
  return marks
    ?.filter(({ event, branch }) => branch === moment.branch && event <= moment.event)
    .map(({ text }) => text)
    .join('');
}
