/** Tells the user where a journey through time has ended, when the editor alone does not show it. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import type { Arrival, ResponseOf, Written } from '../debug-adapter/protocol/timeTravel.js';
import { settings } from './settings.js';

function usual(outcome: Exclude<Arrival['outcome'], 'found'>): string {
  switch (outcome) {
    case 'begin':
      return l10n.t('There is nothing earlier: this is the beginning of the recording.');
    case 'end':
      return l10n.t('There is nothing later: this is the end of the recording.');
    case 'cancelled':
      return l10n.t('Cancelled.');
  }
}

/** 8 s: long enough to read two lines in the status bar. */
const statusBarMs = 8000;

/** A sentence that need not be answered, where the user wants such sentences. */
export function tell(sentence: string): void {
  if (settings().arrivalMessages === 'statusBar')
    vscode.window.setStatusBarMessage(`$(history) ${sentence}`, statusBarMs);
  else void vscode.window.showInformationMessage(sentence);
}

/** @param expectedEnd an outcome that is not news, because it was asked for */
export function tellArrival(arrival: Arrival, expectedEnd?: Arrival['outcome']): void {
  if (arrival.outcome === expectedEnd) return;
  if (arrival.outcome === 'found') {
    if (arrival.message) tell(arrival.message);
    return;
  }
  tell(arrival.message ?? usual(arrival.outcome));
}

export type WhichWrite = 'last' | 'first' | 'next';

export function tellWrite(written: Written, which: WhichWrite): void {
  const { expression, oldValue, newValue } = written;
  if (written.outcome !== 'found') {
    const notFound = l10n.t('No write to {0} was found before this moment.', expression);
    tell(written.message ?? (written.outcome === 'begin' ? notFound : usual(written.outcome)));
    return;
  }
  const what = {
    last: l10n.t('The last write to {0}', expression),
    first: l10n.t('The first write to {0}', expression),
    next: l10n.t('The next write to {0}', expression),
  }[which];
  const values = oldValue !== undefined && newValue !== undefined ? `: ${oldValue} → ${newValue}` : '';
  const limit = written.message ? ` ${written.message}` : '';
  tell(`${what}${values}.${limit}`);
}

/** A new branch began: what cannot be given back is said once, in one sentence. */
export function tellBranch(begun: ResponseOf<'chronofork/branch'>): void {
  const files =
    begun.files.length > 0 ? l10n.t('Not undone: what was written later to {0}.', begun.files.join(', ')) : undefined;
  let message = begun.message ?? files;
  if (!message) return;
  for (const file of begun.files) message = message.replaceAll(file, vscode.workspace.asRelativePath(file));
  // Without a button VS Code shows one line only, and takes it away again.
  void vscode.window.showWarningMessage(message, l10n.t('OK'));
}
