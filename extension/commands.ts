/**
 * One function per palette command. Each finds the session it is meant for,
 * sends one request, and says what the editor does not show; all else is the
 * adapter's. What is shown when is in package.json (`when`, `enablement`).
 */
import * as vscode from 'vscode';
import type { Checkpoint } from '../debug-adapter/protocol/timeTravel.js';
import { tellArrival, tellBranch, tellLastWrite } from './arrivals.js';
import { expressionAt } from './expressionAt.js';
import { attachConfiguration, pickProcess } from './attach/pickProcess.js';
import type { ProgramChooser } from './launch/chooseProgram.js';
import { pickMoment } from './pickMoment.js';
import { isBookmark, type CheckpointRow } from './timeline/timelineModel.js';
import type { TimelineSession, TimelineSessions } from './timeline/timelineSessions.js';
import { locationText, runTimeText } from './timeline/words.js';

/** What the Variables view gives to a command in its context menu. */
interface VariableContext {
  readonly sessionId: string;
  readonly container: { readonly variablesReference?: number };
  readonly variable: { readonly name: string; readonly evaluateName?: string };
}

type Command = (session: TimelineSession, argument: unknown) => Promise<void>;

/** Commands that need a session; the ids are those of package.json without `chronofork.`. */
const sessionCommands: Record<string, Command> = {
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
  async lastWrite(session) {
    const written = expressionInEditor();
    const expression = await vscode.window.showInputBox({
      title: 'Go to the last write of…',
      prompt: 'A variable or any expression that has an address, as it is written in the program',
      placeHolder: 'total, node->next, table[3]',
      value: written,
    });
    if (expression?.trim()) await goToLastWrite(session, expression.trim());
  },
  async lastWriteOfSelection(session) {
    const expression = expressionInEditor();
    if (expression) await goToLastWrite(session, expression);
    else void vscode.window.showInformationMessage('Put the cursor on a variable, or select an expression.');
  },
  async runBackToCursor(session) {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.scheme !== 'file') throw new Error('Put the cursor on a line of the program first.');
    const line = editor.selection.active.line + 1;
    tellArrival(await session.request('chronofork/runBackTo', { path: editor.document.uri.fsPath, line }));
  },
  async createCheckpoint(session) {
    const { checkpoint } = await session.request('chronofork/checkpoint', { action: 'create' });
    if (checkpoint) vscode.window.setStatusBarMessage(`Checkpoint made at ${placeOf(checkpoint)}`, 4000);
    await session.reload();
  },
  async bookmark(session) {
    const place = await presentPlace(session);
    const name = await askName('Bookmark this state', place);
    if (name === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'create', name, pinned: true });
    await session.reload();
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
  async goToCheckpoint(session, argument) {
    tellArrival(await session.request('chronofork/seek', { checkpoint: rowOf(argument).checkpoint.id }));
  },
  async deleteCheckpoint(session, argument) {
    await session.request('chronofork/checkpoint', { action: 'delete', id: rowOf(argument).checkpoint.id });
    await session.reload();
  },
  /** Where one stands the checkpoint itself is needed: then it only ceases to be a bookmark. */
  async deleteBookmark(session, argument) {
    const { checkpoint, here } = rowOf(argument);
    const { id } = checkpoint;
    if (here) await session.request('chronofork/checkpoint', { action: 'unpin', id });
    else await session.request('chronofork/checkpoint', { action: 'delete', id });
    await session.reload();
  },
  async pinCheckpoint(session, argument) {
    await session.request('chronofork/checkpoint', { action: 'pin', id: rowOf(argument).checkpoint.id });
    await session.reload();
  },
  async unpinCheckpoint(session, argument) {
    await session.request('chronofork/checkpoint', { action: 'unpin', id: rowOf(argument).checkpoint.id });
    await session.reload();
  },
  async renameCheckpoint(session, argument) {
    const { checkpoint } = rowOf(argument);
    const name = await askName(isBookmark(checkpoint) ? 'Rename the bookmark' : 'Name the checkpoint', checkpoint.name);
    if (name === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'rename', id: checkpoint.id, name });
    await session.reload();
  },
  /** A checkpoint becomes a bookmark by a name and a pin. */
  async bookmarkCheckpoint(session, argument) {
    const { checkpoint } = rowOf(argument);
    const name = await askName('Bookmark this checkpoint', checkpoint.name ?? placeOf(checkpoint));
    if (name === undefined) return;
    await session.request('chronofork/checkpoint', { action: 'rename', id: checkpoint.id, name });
    await session.request('chronofork/checkpoint', { action: 'pin', id: checkpoint.id });
    await session.reload();
  },
};

export function registerCommands(sessions: TimelineSessions, chooser: ProgramChooser): vscode.Disposable {
  const registered = Object.entries(sessionCommands).map(([name, command]) =>
    vscode.commands.registerCommand(`chronofork.${name}`, (argument: unknown) =>
      withSession(sessions, (session) => command(session, argument)),
    ),
  );
  return vscode.Disposable.from(
    ...registered,
    vscode.commands.registerCommand('chronofork.lastWriteOfVariable', (argument: VariableContext) =>
      withSession(sessions, (session) => lastWriteOfVariable(session, argument), argument.sessionId),
    ),
    // Also a variable of launch.json: "program": "${command:ChooseProgram}".
    vscode.commands.registerCommand('chronofork.pickProcess', pickProcess),
    vscode.commands.registerCommand('chronofork.attachToProcess', () =>
      vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], attachConfiguration),
    ),
    vscode.commands.registerCommand('chronofork.chooseProgram', () =>
      chooser.choose(vscode.workspace.workspaceFolders?.[0]),
    ),
  );
}

/** Shows an error of the adapter, or whatever else went wrong, as the sentence that it is. */
export function showError(error: unknown): void {
  void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
}

async function withSession(
  sessions: TimelineSessions,
  action: (session: TimelineSession) => Promise<void>,
  sessionId?: string,
): Promise<void> {
  const session = sessionId === undefined ? sessions.active : sessions.byId(sessionId);
  if (!session) {
    void vscode.window.showInformationMessage('Start debugging with Chronofork first.');
    return;
  }
  await action(session).catch(showError);
}

async function goToLastWrite(session: TimelineSession, expression: string): Promise<void> {
  const frameId = focusedStackFrame(session);
  tellLastWrite(await session.request('chronofork/lastWrite', { expression, frameId }));
}

/** A variable that is a part of another is named by its container: its expression may not be one that gdb can read. */
async function lastWriteOfVariable(session: TimelineSession, context: VariableContext): Promise<void> {
  const { container, variable } = context;
  if (container.variablesReference) {
    const args = { variablesReference: container.variablesReference, name: variable.name };
    tellLastWrite(await session.request('chronofork/lastWrite', args));
  } else {
    await goToLastWrite(session, variable.evaluateName ?? variable.name);
  }
}

/** The thread that the user looks at; the adapter's only thread when none is selected. */
function focusedThread(session: TimelineSession): number {
  const item = vscode.debug.activeStackItem;
  if (item?.session.id === session.debugSession.id) return item.threadId;
  throw new Error('The program is running. Pause it first.');
}

function focusedStackFrame(session: TimelineSession): number | undefined {
  const item = vscode.debug.activeStackItem;
  return item instanceof vscode.DebugStackFrame && item.session.id === session.debugSession.id
    ? item.frameId
    : undefined;
}

/** The selection, or what the cursor is on. */
function expressionInEditor(): string | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { document, selection } = editor;
  if (!selection.isEmpty && selection.isSingleLine) return document.getText(selection).trim();
  return expressionAt(document.lineAt(selection.active).text, selection.active.character);
}

async function askName(title: string, value: string | undefined): Promise<string | undefined> {
  const name = await vscode.window.showInputBox({
    title,
    value,
    prompt: 'A name to find it again',
    validateInput: (text) => (text.trim() === '' ? 'A name is needed.' : undefined),
  });
  return name?.trim();
}

/** Where the program stands, as a first suggestion for a bookmark's name. */
async function presentPlace(session: TimelineSession): Promise<string | undefined> {
  const item = vscode.debug.activeStackItem;
  if (item?.session.id !== session.debugSession.id) return undefined;
  const stack = (await session.debugSession.customRequest('stackTrace', {
    threadId: item.threadId,
    startFrame: 0,
    levels: 1,
  })) as { stackFrames: { name: string; line: number; source?: { path?: string } }[] };
  const top = stack.stackFrames[0];
  return top && locationText({ function: top.name, path: top.source?.path, line: top.line });
}

function placeOf(checkpoint: Checkpoint): string {
  return locationText(checkpoint.location) ?? runTimeText(checkpoint.moment.timeMs);
}

function rowOf(argument: unknown): CheckpointRow {
  if (typeof argument === 'object' && argument !== null && 'checkpoint' in argument) return argument as CheckpointRow;
  throw new Error('Select a checkpoint in the Checkpoints or Bookmarks view.');
}
