/** The commands that go through time: reverse steps, both ends, the cursor's line, a crash, and on from the past. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { tellArrival, tellBranch } from '../arrivals.js';
import { pickMoment } from '../pickMoment.js';
import { focusedThread, type SessionCommand } from '../sessionCommands.js';

export const timeCommands: Readonly<Record<string, SessionCommand>> = {
  async reverseStepOver(session) {
    tellArrival(await session.request('chronofork/reverseStepOver', { threadId: focusedThread(session) }));
  },
  async reverseStepInto(session) {
    tellArrival(await session.request('chronofork/reverseStepIn', { threadId: focusedThread(session) }));
  },
  async reverseStepOut(session) {
    tellArrival(await session.request('chronofork/reverseStepOut', { threadId: focusedThread(session) }));
  },
  async goToBeginning(session) {
    tellArrival(await session.request('chronofork/seek', { to: 'begin' }), 'begin');
  },
  async goToEnd(session) {
    tellArrival(await session.request('chronofork/seek', { to: 'end' }), 'end');
  },
  async runBackToCursor(session) {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.scheme !== 'file')
      throw new Error(l10n.t('Put the cursor on a line of the program first.'));
    const line = editor.selection.active.line + 1;
    tellArrival(await session.request('chronofork/runBackTo', { path: editor.document.uri.fsPath, line }));
  },
  async seekToCheckpoint(session) {
    const target = await pickMoment(session);
    if (target) tellArrival(await session.request('chronofork/seek', target), 'to' in target ? target.to : undefined);
  },
  async runOnFromHere(session) {
    tellBranch(await session.request('chronofork/branch', {}));
    await session.reload();
  },
  async replayCrash(session) {
    tellArrival(await session.request('chronofork/replayCrash', {}));
  },
};
