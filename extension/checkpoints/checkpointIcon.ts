/**
 * The icon of a checkpoint: where one is, else a bookmark, a pin, or why it was
 * made. The one at the start is always pinned, so the pin says nothing there.
 */
import * as vscode from 'vscode';
import type { CheckpointReason } from '../../debug-adapter/protocol/timeTravel.js';
import { isBookmark, type CheckpointRow } from '../timeline/timelineModel.js';

const icons: Record<CheckpointReason, string> = {
  start: 'debug-start',
  interval: 'clock',
  stop: 'debug-pause',
  user: 'save',
  bookmark: 'bookmark',
  signal: 'zap',
  search: 'search',
  edit: 'edit',
  branch: 'git-branch',
};

export function checkpointIcon(row: CheckpointRow): vscode.ThemeIcon {
  if (row.here)
    return new vscode.ThemeIcon(
      'debug-stackframe',
      new vscode.ThemeColor('debugIcon.breakpointCurrentStackframeForeground'),
    );
  if (isBookmark(row.checkpoint)) return new vscode.ThemeIcon('bookmark');
  if (row.checkpoint.pinned && row.checkpoint.reason !== 'start') return new vscode.ThemeIcon('pinned');
  return new vscode.ThemeIcon(icons[row.checkpoint.reason] ?? 'circle-small');
}
