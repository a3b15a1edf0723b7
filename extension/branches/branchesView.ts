/**
 * The Branches view in the debug side bar: the lines of time that there are,
 * which one the present is on, and where each left another. A click (or Enter)
 * goes to where a branch stands.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { TimelineSessions } from '../timeline/timelineSessions.js';
import { branchRows, type BranchRow } from './branchRows.js';

export function showBranchesView(sessions: TimelineSessions): vscode.Disposable {
  const didChange = new vscode.EventEmitter<void>();
  const provider: vscode.TreeDataProvider<BranchRow> = {
    onDidChangeTreeData: didChange.event,
    getChildren: (row) => (row || !sessions.active ? [] : branchRows(sessions.active.model)),
    getTreeItem: branchItem,
  };
  return vscode.Disposable.from(
    didChange,
    vscode.window.createTreeView('chronofork.branches', { treeDataProvider: provider }),
    sessions.onDidChange(() => didChange.fire()),
  );
}

function branchItem(row: BranchRow): vscode.TreeItem {
  const item = new vscode.TreeItem(row.label);
  item.id = `branch ${row.branch.id}`;
  item.description = row.description;
  item.tooltip = row.details.join('\n');
  item.iconPath = row.present
    ? new vscode.ThemeIcon('debug-stackframe', new vscode.ThemeColor('debugIcon.breakpointCurrentStackframeForeground'))
    : new vscode.ThemeIcon('git-branch');
  item.contextValue = row.present ? 'branch.present' : 'branch.other';
  item.accessibilityInformation = { label: `${l10n.t('Branch {0}.', row.label)} ${row.details.join(' ')}` };
  item.command = { command: 'chronofork.goToBranch', title: l10n.t('Go to Branch'), arguments: [row] };
  return item;
}
