/** The view of an answer that was asked for (calls, values, writes): each row goes to its moment. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { HistoryList, ListRow } from '../../language-server/protocol/historyProtocol.js';
import { untilShown } from '../untilShown.js';

const viewId = 'chronofork.history';
const hasList = 'chronofork.hasHistoryList';
const goToRow = 'chronofork.history.goToRow';

export class HistoryListView implements vscode.Disposable, vscode.TreeDataProvider<ListRow> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view = vscode.window.createTreeView<ListRow>(viewId, { treeDataProvider: this });
  private readonly command = vscode.commands.registerCommand(goToRow, (row: ListRow) => this.goTo(row));
  private rows: readonly ListRow[] = [];

  show({ title, message, rows }: HistoryList): void {
    this.rows = rows;
    this.view.title = title;
    this.view.description = String(rows.length);
    // Alone in its panel a view's own title is not shown.
    const found = rows.length === 0 ? 'nothing in the recording' : String(rows.length);
    this.view.message = [`${title}: ${found}.`, message].filter((part) => part !== undefined).join(' ');
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
    item.tooltip = `${row.label}\n${row.description}\n${l10n.t('Go to this moment')}`;
    item.accessibilityInformation = { label: `${row.label}, ${row.description}. ${l10n.t('Go to this moment')}` };
    item.command = { title: l10n.t('Go to This Moment'), command: goToRow, arguments: [row] };
    return item;
  }

  getChildren(row?: ListRow): ListRow[] {
    return row ? [] : [...this.rows];
  }

  getParent(): undefined {
    return undefined;
  }

  /** Who walks through the list keeps the keyboard here. */
  private async goTo(row: ListRow): Promise<void> {
    await untilShown(() => vscode.commands.executeCommand('chronofork.history.goToMoment', row.go));
    await this.view.reveal(row, { focus: true, select: true });
  }

  dispose(): void {
    void vscode.commands.executeCommand('setContext', hasList, false);
    vscode.Disposable.from(this.command, this.view, this.changed).dispose();
  }
}
