/**
 * The status bar item: *live*, or how far back one is. A click opens the list
 * of moments to go to.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { TimelineSessions } from './timeline/timelineSessions.js';

export function showStatusBar(sessions: TimelineSessions): vscode.Disposable {
  // Left of the debug items' own priority, where VS Code shows the state of a session.
  const item = vscode.window.createStatusBarItem('chronofork.present', vscode.StatusBarAlignment.Left, 20);
  item.name = l10n.t('Chronofork: Present Moment');
  item.command = 'chronofork.seekToCheckpoint';
  const update = (): void => {
    const session = sessions.active;
    if (!session) {
      item.hide();
      return;
    }
    const present = session.model.presentText();
    item.text = `$(${present.icon}) ${present.text}`;
    item.tooltip = present.tooltip;
    item.accessibilityInformation = {
      label: `${l10n.t('Chronofork: {0}.', present.text)} ${present.tooltip}`,
      role: 'button',
    };
    item.backgroundColor = present.warning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    item.show();
  };
  update();
  return vscode.Disposable.from(item, sessions.onDidChange(update));
}
