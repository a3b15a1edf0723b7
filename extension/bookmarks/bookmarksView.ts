/**
 * The Bookmarks view in the debug side bar: the states that the user has given
 * a name, in the order of the run. A click (or Enter) goes there, exactly, also
 * after the program has ended. What a bookmark is made of is a checkpoint.
 */
import * as vscode from 'vscode';
import type { CheckpointRow } from '../timeline/timelineModel.js';
import type { TimelineSessions } from '../timeline/timelineSessions.js';
import { checkpointIcon } from '../checkpoints/checkpointIcon.js';

export function showBookmarksView(sessions: TimelineSessions): vscode.Disposable {
  const didChange = new vscode.EventEmitter<void>();
  const provider: vscode.TreeDataProvider<CheckpointRow> = {
    onDidChangeTreeData: didChange.event,
    getChildren: (row) => (row ? [] : (sessions.active?.model.bookmarks() ?? [])),
    getTreeItem: bookmarkItem,
  };
  return vscode.Disposable.from(
    didChange,
    vscode.window.createTreeView('chronofork.bookmarks', { treeDataProvider: provider }),
    sessions.onDidChange(() => didChange.fire()),
  );
}

function bookmarkItem(row: CheckpointRow): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label);
  item.id = `bookmark ${row.checkpoint.id}`;
  item.description = row.description;
  item.tooltip = row.details.join('\n');
  item.iconPath = checkpointIcon(row);
  item.contextValue = 'bookmark';
  item.accessibilityInformation = { label: `Bookmark ${row.label}. ${row.details.join(' ')}` };
  item.command = { command: 'chronofork.goToCheckpoint', title: 'Go to Bookmark', arguments: [row] };
  return item;
}
