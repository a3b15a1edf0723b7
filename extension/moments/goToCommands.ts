/** Going to a time of the run, to the number of an event, and to where a line of output was written. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from '../askForText.js';
import { tellArrival } from '../arrivals.js';
import type { SessionCommand } from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';
import { runTimeText } from '../timeline/words.js';
import { parseEvent, parseTime } from './goToTime.js';
import { outputLines } from './outputSoFar.js';

export const goToCommands: Readonly<Record<string, SessionCommand>> = {
  async goToTime(session) {
    const { here, end } = await whereAmI(session);
    const parse = (text: string): number | undefined => parseTime(text, here.timeMs, end.timeMs);
    const answer = await askForText({
      title: l10n.t('Go to a time of the run'),
      prompt: l10n.t(
        'You are {0} into the run; what is known ends at {1}',
        runTimeText(here.timeMs),
        runTimeText(end.timeMs),
      ),
      placeHolder: l10n.t('250 ms, 1.5 s, 50 %; from here: -10 ms, +1 s'),
      validateInput: (text) =>
        text.trim() === '' || parse(text) !== undefined
          ? undefined
          : l10n.t('That is no time: try 250 ms, 1.5 s or -10 ms.'),
    });
    const timeMs = answer?.trim() ? parse(answer) : undefined;
    if (timeMs !== undefined) await seek(session, { timeMs });
  },
  async goToEvent(session) {
    const { here, end } = await whereAmI(session);
    const parse = (text: string): number | undefined => parseEvent(text, here.event);
    const answer = await askForText({
      title: l10n.t('Go to a recorded event'),
      prompt: l10n.t('You are at event {0}; the last one known is {1}', here.event, end.event),
      placeHolder: l10n.t('4711; from here: -1, +10'),
      validateInput: (text) =>
        text.trim() === '' || parse(text) !== undefined ? undefined : l10n.t('That is no number of an event.'),
    });
    const event = answer?.trim() ? parse(answer) : undefined;
    if (event !== undefined) await seek(session, { event });
  },
  async goToOutput(session) {
    const { here, branches } = await whereAmI(session);
    const lines = await outputLines(session, branches, here.branch);
    if (lines.length === 0) throw new Error(l10n.t('The program has written nothing yet, as far as it is known.'));
    const items = lines.map((line) => ({
      label: line.text.trim() || '⏎',
      description: runTimeText(line.timeMs),
      line,
    }));
    const picked = await vscode.window.showQuickPick(items.reverse(), {
      title: l10n.t('Go to where this was written'),
      placeHolder: l10n.t('A line of the output'),
    });
    if (picked) await seek(session, { event: picked.line.event, branch: picked.line.branch });
  },
};

async function whereAmI(session: TimelineSession) {
  const timeline = await session.reload();
  if (!timeline) throw new Error(l10n.t('The program is running. Pause it first.'));
  return { here: timeline.present, end: timeline.end, branches: timeline.branches };
}

async function seek(
  session: TimelineSession,
  target: { timeMs: number } | { event: number; branch?: number },
): Promise<void> {
  tellArrival(await session.request('chronofork/seek', target));
}
