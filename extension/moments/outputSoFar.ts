/** The program's output up to a moment, line by line, from the adapter's history. */
import type { Branch, History, Moment, Timeline } from '../../debug-adapter/protocol/timeTravel.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';

/** A line that the program has written, at the call that wrote its first byte. */
export interface OutputLine {
  readonly branch: number;
  readonly event: number;
  readonly timeMs: number;
  readonly text: string;
}

/** Beyond that nobody reads; the last ones are what one looks for. */
const mostLines = 20_000;

/** A branch's lines, with those of the branches it came from up to where it left them. */
export async function outputLines(
  session: TimelineSession,
  branches: readonly Branch[],
  branchId: number,
): Promise<OutputLine[]> {
  const own = await linesOf(session, branchId);
  const branch = branches.find(({ id }) => id === branchId);
  if (branch?.parent === undefined || !branch.from) return own;
  return [...before(branch.from, await outputLines(session, branches, branch.parent)), ...own];
}

/** What had been written when that moment was reached. */
export async function outputUntil(session: TimelineSession, timeline: Timeline, moment: Moment): Promise<string> {
  const lines = await outputLines(session, timeline.branches, moment.branch);
  const text = before(moment, lines).map((line) => line.text);
  return text.join('\n');
}

/** A moment's number of events is how many have been passed: the event of that number is still to come. */
function before({ event, branch }: Moment, lines: readonly OutputLine[]): OutputLine[] {
  return lines.filter((line) => line.branch !== branch || line.event < event);
}

async function linesOf(session: TimelineSession, branch: number): Promise<OutputLine[]> {
  const lines: OutputLine[] = [];
  let fromEvent: number | undefined = 0;
  while (fromEvent !== undefined && lines.length < mostLines) {
    const { marks, next }: History = await session.request('chronofork/history', {
      branch,
      kinds: ['output'],
      fromEvent,
    });
    for (const mark of marks)
      if (mark.kind === 'output' && mark.text !== undefined)
        lines.push({ branch, event: mark.event, timeMs: mark.timeMs, text: mark.text.replace(/\r?\n$/, '') });
    fromEvent = next;
  }
  return lines;
}
