/**
 * "Check This Machine": runs `chronofork doctor` where the extension runs, and
 * shows its sentences as a list; what is missing has buttons for its remedy.
 */
import { execFile } from 'node:child_process';
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { settings } from '../settings.js';
import { openTroubleshooting, remediesIn, type Remedy } from './remedies.js';

interface Capability {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: string;
  readonly required: boolean;
}

interface Report {
  readonly ok: boolean;
  readonly version: string;
  readonly capabilities: readonly Capability[];
}

interface Row extends vscode.QuickPickItem {
  readonly remedies: readonly Remedy[];
}

const patienceMs = 60_000;

export async function checkThisMachine(cli: string): Promise<void> {
  const report = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: l10n.t('Trying what this machine allows') },
    () => runDoctor(cli),
  );
  const picker = vscode.window.createQuickPick<Row>();
  picker.title = report.ok
    ? l10n.t('Chronofork {0} can work here', report.version)
    : l10n.t('Chronofork {0} cannot work here yet', report.version);
  picker.placeholder = report.ok
    ? l10n.t('All that it needs was tried, and works')
    : l10n.t('Choose a row that is missing to see what helps');
  picker.ignoreFocusOut = true;
  picker.matchOnDetail = true;
  picker.items = rowsOf(report);
  picker.onDidTriggerItemButton(({ item, button }) => {
    const remedy = item.remedies[item.buttons?.indexOf(button) ?? -1];
    picker.hide();
    void remedy?.run();
  });
  picker.onDidAccept(() => {
    const remedies = picker.selectedItems[0]?.remedies ?? [];
    picker.hide();
    void remedies[0]?.run();
  });
  picker.onDidHide(() => picker.dispose());
  picker.show();
}

function rowsOf({ capabilities }: Report): Row[] {
  const missing = capabilities.filter(({ ok, required }) => !ok && required);
  const absent = capabilities.filter(({ ok, required }) => !ok && !required);
  const there = capabilities.filter(({ ok }) => ok);
  return [
    ...group(l10n.t('Missing'), missing, 'error'),
    ...group(l10n.t('Works'), there, 'pass'),
    ...group(l10n.t('Not here, and not needed'), absent, 'circle-slash'),
  ];
}

function group(label: string, members: readonly Capability[], icon: string): Row[] {
  if (members.length === 0) return [];
  const heading: Row = { label, kind: vscode.QuickPickItemKind.Separator, remedies: [] };
  return [heading, ...members.map((one) => rowOf(one, icon))];
}

function rowOf({ name, ok, detail, remedy, required }: Capability, icon: string): Row {
  const remedies = ok || !required ? [] : [...remediesIn(remedy), openTroubleshooting()];
  const icons = ['terminal', 'copy', 'book'].slice(3 - Math.max(remedies.length, 0));
  return {
    label: name,
    description: detail,
    detail: ok || remedy === '' ? undefined : `→ ${remedy}`,
    iconPath: new vscode.ThemeIcon(
      icon,
      icon === 'pass'
        ? new vscode.ThemeColor('testing.iconPassed')
        : icon === 'error'
          ? new vscode.ThemeColor('testing.iconFailed')
          : undefined,
    ),
    buttons: remedies.map(({ label }, index) => ({
      iconPath: new vscode.ThemeIcon(icons[index] ?? 'book'),
      tooltip: label,
    })),
    remedies,
  };
}

function runDoctor(cli: string): Promise<Report> {
  const { gdbPath } = settings();
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  return new Promise((resolve, reject) => {
    const args = [cli, 'doctor', '--json', `--gdb=${gdbPath}`];
    execFile(process.execPath, args, { env, timeout: patienceMs }, (error, stdout, stderr) => {
      // Its exit code is 1 when something is missing: the report says what.
      try {
        resolve(JSON.parse(stdout) as Report);
      } catch {
        reject(new Error(l10n.t('The check could not be made: {0}', stderr.trim() || (error?.message ?? ''))));
      }
    });
  });
}
