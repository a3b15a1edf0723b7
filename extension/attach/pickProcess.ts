/**
 * Asks which process to attach to: `${command:pickProcess}` in launch.json.
 *
 * The list is read when it is opened and when Refresh is pressed, not while it
 * is read by a person: rows must not move under the cursor.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { listProcesses, type ListedProcess } from './processList.js';

interface ProcessItem extends vscode.QuickPickItem {
  readonly process?: ListedProcess;
}

/** What attaches to the process that the user then picks. */
export const attachConfiguration: vscode.DebugConfiguration = {
  type: 'chronofork',
  request: 'attach',
  name: 'Attach to Process',
  pid: '${command:pickProcess}',
};

/** The number of the chosen process; undefined when none was chosen. */
export async function pickProcess(): Promise<string | undefined> {
  const picker = vscode.window.createQuickPick<ProcessItem>();
  picker.title = l10n.t('Process to attach to');
  picker.placeholder = l10n.t('Name, number or command line of a process');
  picker.matchOnDescription = true;
  picker.matchOnDetail = true;
  picker.buttons = [{ iconPath: new vscode.ThemeIcon('refresh'), tooltip: l10n.t('Refresh') }];
  const fill = async (): Promise<void> => {
    picker.busy = true;
    picker.items = itemsOf(await listProcesses({ uid: process.getuid?.() ?? -1, self: process.pid }));
    picker.busy = false;
  };
  const chosen = new Promise<string | undefined>((resolve) => {
    picker.onDidTriggerButton(() => void fill());
    picker.onDidAccept(() => {
      const listed = picker.selectedItems[0]?.process;
      if (!listed) return;
      if (listed.reason !== undefined) {
        picker.placeholder = l10n.t('{0} ({1}) cannot be attached to: {2}', listed.name, listed.pid, listed.reason);
        picker.value = '';
        return;
      }
      resolve(String(listed.pid));
      picker.hide();
    });
    picker.onDidHide(() => resolve(undefined));
  });
  picker.show();
  try {
    await fill();
    return await chosen;
  } finally {
    picker.dispose();
  }
}

function itemsOf(processes: readonly ListedProcess[]): ProcessItem[] {
  const groups: [string, (one: ListedProcess) => boolean][] = [
    [l10n.t('Yours'), (one) => one.reason === undefined && one.own],
    [l10n.t('Of other users'), (one) => one.reason === undefined && !one.own],
    [l10n.t('Cannot be attached to'), (one) => one.reason !== undefined],
  ];
  return groups.flatMap(([label, belongs]) => {
    const members = processes.filter(belongs);
    const heading: ProcessItem[] = [{ label, kind: vscode.QuickPickItemKind.Separator }];
    return members.length > 0 ? [...heading, ...members.map(itemOf)] : [];
  });
}

function itemOf(process: ListedProcess): ProcessItem {
  const { pid, name, user, commandLine, reason, doubt } = process;
  const obstacle =
    reason === undefined ? doubt && `$(warning) ${capitalised(doubt)}` : `$(circle-slash) ${capitalised(reason)}`;
  return {
    label: name,
    description: `${pid} · ${user}`,
    detail: obstacle === undefined ? commandLine : `${obstacle} — ${commandLine}`,
    iconPath: new vscode.ThemeIcon(reason === undefined ? 'debug-alt-small' : 'circle-slash'),
    process,
  };
}

function capitalised(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
