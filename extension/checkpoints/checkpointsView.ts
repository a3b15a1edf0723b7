/**
 * The Checkpoints view in the debug side bar: every checkpoint with its moment,
 * place, reason, price and age. With several branches there is one group for
 * each. A click (or Enter) goes there.
 *
 * Ages grow while nothing happens, so a visible view is drawn again now and
 * then; nothing is asked of the adapter for that.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { CheckpointRow } from '../timeline/timelineModel.js';
import type { TimelineSessions } from '../timeline/timelineSessions.js';
import { checkpointIcon } from './checkpointIcon.js';

/** 15 s: ages are shown in steps of 5 s and then of minutes; more often only flickers. */
const ageRefreshMs = 15_000;

/** What is dragged from here: the numbers of checkpoints. */
export const checkpointMimeType = 'application/vnd.chronofork.checkpoint';

interface BranchGroup {
  readonly branch: number;
  readonly name: string;
  readonly rows: readonly CheckpointRow[];
}

type Node = BranchGroup | CheckpointRow;

export function showCheckpointsView(sessions: TimelineSessions): vscode.Disposable {
  const provider = new CheckpointsTree(sessions);
  const dragAndDropController: vscode.TreeDragAndDropController<Node> = {
    dragMimeTypes: [checkpointMimeType],
    dropMimeTypes: [],
    handleDrag: (nodes, dragged) => {
      const ids = nodes.flatMap((node) => (isGroup(node) ? [] : [node.checkpoint.id]));
      dragged.set(checkpointMimeType, new vscode.DataTransferItem(ids));
    },
  };
  const view = vscode.window.createTreeView('chronofork.checkpoints', {
    treeDataProvider: provider,
    dragAndDropController,
    canSelectMany: true,
  });
  const update = (): void => {
    view.description = sessions.active?.model.memoryText();
    provider.refresh();
  };
  const timer = setInterval(() => {
    if (view.visible && sessions.active) provider.refresh();
  }, ageRefreshMs);
  return vscode.Disposable.from(view, sessions.onDidChange(update), new vscode.Disposable(() => clearInterval(timer)));
}

class CheckpointsTree implements vscode.TreeDataProvider<Node> {
  private readonly didChange = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.didChange.event;

  constructor(private readonly sessions: TimelineSessions) {}

  refresh(): void {
    this.didChange.fire();
  }

  getChildren(node?: Node): Node[] {
    const model = this.sessions.active?.model;
    if (!model) return [];
    if (node) return isGroup(node) ? [...node.rows] : [];
    const rows = model.checkpoints();
    if (!model.severalBranches) return rows;
    const groups = new Map<number, CheckpointRow[]>();
    for (const row of rows) {
      const branch = row.checkpoint.moment.branch;
      groups.set(branch, [...(groups.get(branch) ?? []), row]);
    }
    return [...groups].map(([branch, rowsOfIt]) => ({ branch, name: model.branchName(branch), rows: rowsOfIt }));
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return isGroup(node) ? groupItem(node) : checkpointItem(node);
  }
}

function groupItem(group: BranchGroup): vscode.TreeItem {
  const item = new vscode.TreeItem(group.name, vscode.TreeItemCollapsibleState.Expanded);
  item.id = `branch ${group.branch}`;
  item.iconPath = new vscode.ThemeIcon('git-branch');
  item.contextValue = 'branch';
  item.accessibilityInformation = {
    label: l10n.t('Branch {0}, {1} checkpoints', group.name, group.rows.length),
  };
  return item;
}

function checkpointItem(row: CheckpointRow): vscode.TreeItem {
  const { checkpoint } = row;
  const item = new vscode.TreeItem(row.label);
  item.id = `checkpoint ${checkpoint.id}`;
  item.description = row.description;
  item.tooltip = row.details.join('\n');
  item.iconPath = checkpointIcon(row);
  // For the `when` clauses of the menus in package.json.
  item.contextValue = `checkpoint${checkpoint.pinned ? '.pinned' : '.unpinned'}${row.here ? '.here' : ''}`;
  item.accessibilityInformation = { label: row.details.join(' ') };
  item.command = { command: 'chronofork.goToCheckpoint', title: l10n.t('Go to Checkpoint'), arguments: [row] };
  return item;
}

function isGroup(node: Node): node is BranchGroup {
  return 'rows' in node;
}
