/**
 * The Crash view in the debug side bar: there from a fatal signal on, also when
 * one has gone back from it. It says what happened, and offers what to do.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { TimelineSessions } from '../timeline/timelineSessions.js';
import { crashRows, type CrashRow } from './crashRows.js';

export function showCrashView(sessions: TimelineSessions): vscode.Disposable {
  const didChange = new vscode.EventEmitter<void>();
  const crash = () => sessions.active?.model.timeline?.crash;
  const provider: vscode.TreeDataProvider<CrashRow> = {
    onDidChangeTreeData: didChange.event,
    getChildren(row) {
      const known = crash();
      return row || !known ? [] : crashRows(known);
    },
    getTreeItem: crashItem,
  };
  return vscode.Disposable.from(
    didChange,
    vscode.window.createTreeView('chronofork.crash', { treeDataProvider: provider }),
    sessions.onDidChange(() => didChange.fire()),
  );
}

function crashItem(row: CrashRow): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label);
  item.id = row.id;
  item.description = row.description;
  item.tooltip = row.details.join('\n');
  const color = row.id === 'what' ? 'errorForeground' : row.offer ? 'textLink.foreground' : undefined;
  item.iconPath = new vscode.ThemeIcon(row.icon, color === undefined ? undefined : new vscode.ThemeColor(color));
  item.contextValue = row.offer ? 'crash.offer' : 'crash.fact';
  item.accessibilityInformation = { label: `${row.label}. ${row.details.join(' ')}` };
  if (row.command)
    item.command = { command: `chronofork.${row.command}`, title: l10n.t('Do It'), arguments: [row.argument] };
  return item;
}
