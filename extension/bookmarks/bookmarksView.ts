/**
 * The Bookmarks view in the debug side bar: the states that the user has given
 * a name, in the order of the run, each with its note. A click (or Enter) goes
 * there, exactly, also after the program has ended. What a bookmark is made of
 * is a checkpoint: one that is dragged here from the Checkpoints view becomes one.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { makeBookmark, placeOf } from '../commands/checkpointCommands.js';
import { checkpointMimeType } from '../checkpoints/checkpointsView.js';
import { checkpointIcon } from '../checkpoints/checkpointIcon.js';
import { showError } from '../sessionCommands.js';
import { isBookmark, type CheckpointRow } from '../timeline/timelineModel.js';
import type { TimelineSessions } from '../timeline/timelineSessions.js';

export function showBookmarksView(sessions: TimelineSessions): vscode.Disposable {
  const didChange = new vscode.EventEmitter<void>();
  const provider: vscode.TreeDataProvider<CheckpointRow> = {
    onDidChangeTreeData: didChange.event,
    getChildren: (row) => (row ? [] : (sessions.active?.model.bookmarks() ?? [])),
    getTreeItem: bookmarkItem,
  };
  const dragAndDropController: vscode.TreeDragAndDropController<CheckpointRow> = {
    dragMimeTypes: [],
    dropMimeTypes: [checkpointMimeType],
    handleDrop: async (_target, dropped) => {
      const ids: unknown = dropped.get(checkpointMimeType)?.value;
      await bookmarkDropped(sessions, Array.isArray(ids) ? ids : []).catch(showError);
    },
  };
  return vscode.Disposable.from(
    didChange,
    vscode.window.createTreeView('chronofork.bookmarks', {
      treeDataProvider: provider,
      dragAndDropController,
      canSelectMany: true,
    }),
    sessions.onDidChange(() => didChange.fire()),
  );
}

/** Without a question: the name is where it stands, and can be changed. */
async function bookmarkDropped(sessions: TimelineSessions, ids: readonly unknown[]): Promise<void> {
  const session = sessions.active;
  if (!session) return;
  for (const { checkpoint } of session.model.checkpoints()) {
    if (!ids.includes(checkpoint.id) || isBookmark(checkpoint)) continue;
    await makeBookmark(session, checkpoint, checkpoint.name ?? placeOf(checkpoint));
  }
}

function bookmarkItem(row: CheckpointRow): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label);
  item.id = `bookmark ${row.checkpoint.id}`;
  item.description = row.description;
  item.tooltip = row.details.join('\n');
  item.iconPath = checkpointIcon(row);
  item.contextValue = row.here ? 'bookmark.here' : 'bookmark';
  item.accessibilityInformation = { label: l10n.t('Bookmark {0}. {1}', row.label, row.details.join(' ')) };
  item.command = { command: 'chronofork.goToCheckpoint', title: l10n.t('Go to Bookmark'), arguments: [row] };
  return item;
}
