/** The view of an answer that was asked for (calls, values, writes): each row goes to its moment. */
import * as vscode from 'vscode';
import type { HistoryList, ListRow } from '../../language-server/protocol/historyProtocol.js';

const viewId = 'chronofork.history';
const hasList = 'chronofork.hasHistoryList';

export class HistoryListView implements vscode.Disposable, vscode.TreeDataProvider<ListRow> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view = vscode.window.createTreeView<ListRow>(viewId, { treeDataProvider: this });
  private rows: readonly ListRow[] = [];

  show({ title, message, rows }: HistoryList): void {
    this.rows = rows;
    this.view.title = title;
    this.view.description = String(rows.length);
    this.view.message = message ?? (rows.length === 0 ? 'Nothing of it in the recording.' : undefined);
    void vscode.commands.executeCommand('setContext', hasList, true);
    this.changed.fire();
    const [first] = rows;
    // The view comes into sight; the editor keeps the keyboard.
    if (first) void this.view.reveal(first, { focus: false, select: false }).then(undefined, () => undefined);
    else void vscode.commands.executeCommand(`${viewId}.focus`);
  }

  getTreeItem(row: ListRow): vscode.TreeItem {
    const item = new vscode.TreeItem(row.label);
    item.description = row.description;
    item.iconPath = new vscode.ThemeIcon('history');
    item.tooltip = `${row.label}\n${row.description}\nGo to this moment`;
    item.accessibilityInformation = { label: `${row.label}, ${row.description}. Go to this moment` };
    item.command = { title: 'Go to This Moment', command: 'chronofork.history.goToMoment', arguments: [row.go] };
    return item;
  }

  getChildren(row?: ListRow): ListRow[] {
    return row ? [] : [...this.rows];
  }

  getParent(): undefined {
    return undefined;
  }

  dispose(): void {
    void vscode.commands.executeCommand('setContext', hasList, false);
    vscode.Disposable.from(this.view, this.changed).dispose();
  }
}
