/** Going to the last, first or next write: of what is typed, of what the cursor is on, of a row of the Variables view. */
import * as l10n from '@vscode/l10n';
import * as vscode from 'vscode';
import { askForText } from '../askForText.js';
import type { WrittenPlace } from '../../debug-adapter/protocol/timeTravel.js';
import { tellWrite, type WhichWrite } from '../arrivals.js';
import {
  expressionInEditor,
  focusedStackFrame,
  isVariableContext,
  type SessionCommand,
  type VariableContext,
} from '../sessionCommands.js';
import type { TimelineSession } from '../timeline/timelineSessions.js';

/** @param name what is said instead of a bare address */
export async function goToWrite(
  session: TimelineSession,
  which: WhichWrite,
  place: WrittenPlace,
  name?: string,
): Promise<void> {
  const request = (
    { last: 'chronofork/lastWrite', first: 'chronofork/firstWrite', next: 'chronofork/nextWrite' } as const
  )[which];
  const written = await session.request(request, place);
  tellWrite(name === undefined ? written : { ...written, expression: name }, which);
}

async function ofExpression(session: TimelineSession, which: WhichWrite, expression: string): Promise<void> {
  await goToWrite(session, which, { expression, frameId: focusedStackFrame(session) });
}

function asked(which: WhichWrite): SessionCommand {
  return async (session) => {
    const title = {
      last: l10n.t('Go to the last write of…'),
      first: l10n.t('Go to the first write of…'),
      next: l10n.t('Go to the next write of…'),
    }[which];
    const expression = await askForText({
      title,
      prompt: l10n.t('A variable or any expression that has an address, as it is written in the program'),
      placeHolder: 'total, node->next, table[3]',
      value: expressionInEditor(),
    });
    if (expression?.trim()) await ofExpression(session, which, expression.trim());
  };
}

function ofSelection(which: WhichWrite): SessionCommand {
  return async (session) => {
    const expression = expressionInEditor();
    if (expression) await ofExpression(session, which, expression);
    else void vscode.window.showInformationMessage(l10n.t('Put the cursor on a variable, or select an expression.'));
  };
}

/** A variable that is a part of another is named by its container: its expression may not be one that gdb can read. */
async function ofRow(
  session: TimelineSession,
  which: WhichWrite,
  { container, variable }: VariableContext,
): Promise<void> {
  const { variablesReference } = container;
  if (variablesReference) await goToWrite(session, which, { variablesReference, name: variable.name });
  else await ofExpression(session, which, variable.evaluateName ?? variable.name);
}

function ofVariable(which: WhichWrite): SessionCommand {
  return async (session, argument) => {
    if (isVariableContext(argument)) await ofRow(session, which, argument);
    else throw new Error(l10n.t('Right-click a variable in the Variables view.'));
  };
}

export const writeCommands: Readonly<Record<string, SessionCommand>> = {
  lastWrite: asked('last'),
  firstWrite: asked('first'),
  nextWrite: asked('next'),
  lastWriteOfSelection: ofSelection('last'),
  firstWriteOfSelection: ofSelection('first'),
  nextWriteOfSelection: ofSelection('next'),
  lastWriteOfVariable: ofVariable('last'),
  firstWriteOfVariable: ofVariable('first'),
  nextWriteOfVariable: ofVariable('next'),
};
