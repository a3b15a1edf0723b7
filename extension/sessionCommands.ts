/**
 * What the palette commands share: which session they are meant for, which
 * thread and stack frame the user looks at, which expression the cursor means,
 * and how an error becomes a sentence.
 */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from './askForText.js';
import { expressionAt } from './expressionAt.js';
import type { TimelineSession, TimelineSessions } from './timeline/timelineSessions.js';

/** A command that needs a session. `argument` is what a menu or a key binding gives, `more` what a tree gives beside it. */
export type SessionCommand = (session: TimelineSession, argument: unknown, more: unknown) => Promise<void>;

/** What the Variables view gives to a command in its context menu. */
export interface VariableContext {
  readonly sessionId: string;
  readonly container: { readonly variablesReference?: number };
  readonly variable: { readonly name: string; readonly evaluateName?: string };
}

export function isVariableContext(argument: unknown): argument is VariableContext {
  return typeof argument === 'object' && argument !== null && 'sessionId' in argument && 'variable' in argument;
}

/** Registers commands by their names without `chronofork.`. */
export function registerSessionCommands(
  sessions: TimelineSessions,
  commands: Readonly<Record<string, SessionCommand>>,
): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, command]) =>
      vscode.commands.registerCommand(`chronofork.${name}`, (argument: unknown, more: unknown) => {
        const sessionId = isVariableContext(argument) ? argument.sessionId : undefined;
        return withSession(sessions, (session) => command(session, argument, more), sessionId);
      }),
    ),
  );
}

/** Shows an error of the adapter, or whatever else went wrong, as the sentence that it is. */
export function showError(error: unknown): void {
  void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
}

export async function withSession(
  sessions: TimelineSessions,
  action: (session: TimelineSession) => Promise<void>,
  sessionId?: string,
): Promise<void> {
  const session = sessionId === undefined ? sessions.active : sessions.byId(sessionId);
  if (!session) {
    const start = l10n.t('Start Debugging');
    const answer = await vscode.window.showInformationMessage(
      l10n.t('Start debugging with Chronofork first.'),
      ...(vscode.debug.activeDebugSession ? [] : [start]),
    );
    if (answer === start) await vscode.commands.executeCommand('workbench.action.debug.start');
    return;
  }
  await action(session).catch(showError);
}

/** The thread that the user looks at. @throws Error when the program runs */
export function focusedThread(session: TimelineSession): number {
  const item = vscode.debug.activeStackItem;
  if (item?.session.id === session.debugSession.id) return item.threadId;
  throw new Error(l10n.t('The program is running. Pause it first.'));
}

export function focusedStackFrame(session: TimelineSession): number | undefined {
  const item = vscode.debug.activeStackItem;
  return item instanceof vscode.DebugStackFrame && item.session.id === session.debugSession.id
    ? item.frameId
    : undefined;
}

/** The selection, or what the cursor is on. */
export function expressionInEditor(): string | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { document, selection } = editor;
  if (!selection.isEmpty && selection.isSingleLine) return document.getText(selection).trim();
  return expressionAt(document.lineAt(selection.active).text, selection.active.character);
}

export async function askName(title: string, value: string | undefined): Promise<string | undefined> {
  const name = await askForText({
    title,
    value,
    prompt: l10n.t('A name to find it again'),
    validateInput: (text) => (text.trim() === '' ? l10n.t('A name is needed.') : undefined),
  });
  return name?.trim();
}
