/** Tells the user where a journey through time has ended, when the editor alone does not show it. */
import * as vscode from 'vscode';
import type { Arrival, ResponseOf } from '../debug-adapter/protocol/timeTravel.js';

const defaults: Record<Exclude<Arrival['outcome'], 'found'>, string> = {
  begin: 'There is nothing earlier: this is the beginning of the recording.',
  end: 'There is nothing later: this is the end of the recording.',
  cancelled: 'Cancelled.',
};

/** @param expectedEnd an outcome that is not news, because it was asked for */
export function tellArrival(arrival: Arrival, expectedEnd?: Arrival['outcome']): void {
  if (arrival.outcome === expectedEnd) return;
  if (arrival.outcome === 'found') {
    if (arrival.message) void vscode.window.showInformationMessage(arrival.message);
    return;
  }
  void vscode.window.showInformationMessage(arrival.message ?? defaults[arrival.outcome]);
}

export function tellLastWrite(written: ResponseOf<'chronofork/lastWrite'>): void {
  if (written.outcome !== 'found') {
    const notFound = `No write to ${written.expression} was found before this moment.`;
    void vscode.window.showInformationMessage(
      written.message ?? (written.outcome === 'begin' ? notFound : defaults[written.outcome]),
    );
    return;
  }
  const { expression, oldValue, newValue } = written;
  const values = oldValue !== undefined && newValue !== undefined ? `: ${oldValue} → ${newValue}` : '';
  const limit = written.message ? ` ${written.message}` : '';
  void vscode.window.showInformationMessage(`The last write to ${expression}${values}.${limit}`);
}

/** A new branch began: what cannot be given back is said once, in one sentence. */
export function tellBranch(begun: ResponseOf<'chronofork/branch'>): void {
  const files = begun.files.length > 0 ? `Not undone: what was written later to ${begun.files.join(', ')}.` : undefined;
  let message = begun.message ?? files;
  if (!message) return;
  for (const file of begun.files) message = message.replaceAll(file, vscode.workspace.asRelativePath(file));
  // Without a button VS Code shows one line only, and takes it away again.
  void vscode.window.showWarningMessage(message, 'OK');
}
