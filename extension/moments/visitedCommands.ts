/** Back and forward through the places one has been at, and the list of them. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { tell } from '../arrivals.js';
import type { SessionCommand } from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';
import { locationText, runTimeText } from '../timeline/words.js';
import type { Direction, Going, VisitedPlace } from './visitedPlaces.js';

export const visitedCommands: Readonly<Record<string, SessionCommand>> = {
  visitedBack: (session) => go(session, 'back'),
  visitedForward: (session) => go(session, 'forward'),
  async visitedPlaces(session) {
    const timeline = await session.reload();
    const locations = new Map(timeline?.checkpoints.map(({ moment, location }) => [moment.id, location]));
    const items = session.visited.list().map(({ place, here }) => ({
      label: locationText(locations.get(place.momentId)) ?? runTimeText(place.timeMs),
      description: [
        here ? l10n.t('you are here') : undefined,
        runTimeText(place.timeMs),
        session.model.severalBranches ? session.model.branchName(place.branch) : undefined,
      ]
        .filter(Boolean)
        .join(' · '),
      iconPath: new vscode.ThemeIcon(here ? 'debug-stackframe' : 'history'),
      place,
    }));
    const picked = await vscode.window.showQuickPick(items, {
      title: l10n.t('Places you have been at'),
      placeHolder: l10n.t('The latest is at the top'),
      matchOnDescription: true,
    });
    if (picked) report(await session.visited.goToPlace(picked.place, goTo(session)));
    session.visitedChanged();
  },
};

async function go(session: TimelineSession, direction: Direction): Promise<void> {
  if (!session.visited.can(direction)) {
    tell(
      direction === 'back'
        ? l10n.t('This is the first place you have been at.')
        : l10n.t('This is the last place you have been at.'),
    );
    return;
  }
  report(await session.visited.go(direction, goTo(session)));
  session.visitedChanged();
}

function goTo(session: TimelineSession): (place: VisitedPlace) => Promise<Going> {
  return async ({ momentId }) => {
    try {
      const { outcome } = await session.request('chronofork/seek', { moment: momentId });
      return outcome === 'cancelled' ? 'stayed' : 'there';
    } catch (error) {
      if (session.lastErrorCode === 'momentForgotten' || session.lastErrorCode === 'noSuchCheckpoint')
        return 'forgotten';
      throw error;
    }
  };
}

function report({ arrived, forgotten }: { arrived: boolean; forgotten: number }): void {
  if (forgotten === 0) return;
  const skipped =
    forgotten === 1
      ? l10n.t('One place was skipped: its moment is no longer kept.')
      : l10n.t('{0} places were skipped: their moments are no longer kept.', forgotten);
  tell(arrived ? skipped : `${skipped} ${l10n.t('There is no other in that direction.')}`);
}
