/** What the Crash view offers: go to the crash, step back from it, find who wrote what is to blame. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Crash, Suspect } from '../../debug-adapter/protocol/timeTravel.js';
import { tellArrival } from '../arrivals.js';
import { goToWrite } from '../commands/writeCommands.js';
import type { SessionCommand } from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';

export const crashCommands: Readonly<Record<string, SessionCommand>> = {
  async goToCrash(session) {
    await toCrash(session, await crashOf(session));
  },
  async stepBackFromCrash(session) {
    const crash = await crashOf(session);
    await toCrash(session, crash);
    tellArrival(await session.request('chronofork/reverseStepOver', { threadId: crash.threadId }));
  },
  async lastWriteOfSuspect(session, argument) {
    const crash = await crashOf(session);
    const suspect = isSuspect(argument) ? argument : await pickSuspect(crash);
    if (!suspect) return;
    await toCrash(session, crash);
    // By its place: from here the stack frame selected may be another one.
    const { address, size } = suspect;
    await goToWrite(session, 'last', { address, size }, suspect.expression);
  },
};

async function crashOf(session: TimelineSession): Promise<Crash> {
  const crash = (session.model.timeline ?? (await session.reload()))?.crash;
  if (!crash) throw new Error(l10n.t('The program has not crashed.'));
  return crash;
}

async function toCrash(session: TimelineSession, { moment }: Crash): Promise<void> {
  const present = await session.request('chronofork/present', {});
  if (present.moment.id === moment.id) return;
  tellArrival(await session.request('chronofork/seek', { moment: moment.id }), 'end');
}

function isSuspect(argument: unknown): argument is Suspect {
  return typeof argument === 'object' && argument !== null && 'expression' in argument && 'address' in argument;
}

async function pickSuspect({ suspects }: Crash): Promise<Suspect | undefined> {
  if (suspects.length === 0)
    throw new Error(l10n.t('No variable here holds the bad address. Step back, and look where it came from.'));
  const items = suspects.map((suspect) => ({ label: suspect.expression, description: suspect.value, suspect }));
  const title = l10n.t('Who wrote what crashed?');
  return (await vscode.window.showQuickPick(items, { title }))?.suspect;
}
