/** Shows what the adapter says that the user must know: each sentence once in a session. */
import * as vscode from 'vscode';
import type { TimeTravelEvents } from '../debug-adapter/protocol/timeTravel.js';

type Notice = TimeTravelEvents['chronofork/notice'];

export class Notices {
  private readonly shown = new Set<string>();

  show(sessionId: string, notice: Notice): void {
    const key = `${sessionId} ${notice.message}`;
    if (this.shown.has(key)) return;
    this.shown.add(key);
    const show = {
      info: vscode.window.showInformationMessage,
      warning: vscode.window.showWarningMessage,
      error: vscode.window.showErrorMessage,
    }[notice.severity];
    void show(notice.message);
  }
}
