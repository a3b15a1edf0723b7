/** The quick pick of all moments that one can go to: both ends, bookmarks, checkpoints. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { ArgumentsOf } from '../debug-adapter/protocol/timeTravel.js';
import { checkpointIcon } from './checkpoints/checkpointIcon.js';
import { isBookmark, type CheckpointRow } from './timeline/timelineModel.js';
import type { TimelineSession } from './timeline/timelineSessions.js';
import { runTimeText } from './timeline/words.js';

type SeekTarget = ArgumentsOf<'chronofork/seek'>;

interface MomentItem extends vscode.QuickPickItem {
  readonly target?: SeekTarget;
}

/** @returns where to go, or undefined when the user has changed their mind */
export async function pickMoment(session: TimelineSession): Promise<SeekTarget | undefined> {
  await session.reload();
  const { model } = session;
  const picked = await vscode.window.showQuickPick(momentItems(model), {
    title: l10n.t('Go to a moment of the recording'),
    placeHolder: l10n.t('You are here: {0}', model.presentText().text),
    matchOnDescription: true,
  });
  return picked?.target;
}

function momentItems(model: TimelineSession['model']): MomentItem[] {
  const ended = model.timeline?.ended !== undefined;
  const items: MomentItem[] = [
    {
      label: ended ? l10n.t('End of the recording') : l10n.t('Live: where the program stands'),
      iconPath: new vscode.ThemeIcon('arrow-right'),
      target: { to: 'end' },
    },
    {
      label: l10n.t('Beginning of the recording'),
      iconPath: new vscode.ThemeIcon('arrow-left'),
      target: { to: 'begin' },
    },
  ];
  for (const { name, end } of model.otherBranches()) {
    items.push({
      label: l10n.t('Where “{0}” stands', name),
      description: l10n.t('at {0}', runTimeText(end.timeMs)),
      iconPath: new vscode.ThemeIcon('git-branch'),
      target: { moment: end.id },
    });
  }
  const bookmarks = model.bookmarks();
  if (bookmarks.length > 0) items.push(separator(l10n.t('Bookmarks')), ...bookmarks.map(rowItem));
  let branch: number | undefined;
  for (const row of model.checkpoints().filter((candidate) => !isBookmark(candidate.checkpoint))) {
    if (row.checkpoint.moment.branch !== branch) {
      branch = row.checkpoint.moment.branch;
      items.push(
        separator(
          model.severalBranches ? l10n.t('Checkpoints of: {0}', model.branchName(branch)) : l10n.t('Checkpoints'),
        ),
      );
    }
    items.push(rowItem(row));
  }
  return items;
}

function rowItem(row: CheckpointRow): MomentItem {
  return {
    label: row.label,
    description: row.description,
    iconPath: checkpointIcon(row),
    target: { checkpoint: row.checkpoint.id },
  };
}

function separator(label: string): MomentItem {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}
