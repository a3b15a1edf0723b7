/** Code actions: questions about the past for what the cursor is on. */
import type { CodeAction } from 'vscode-languageserver';
import { withoutParameters } from '../../debug-adapter/protocol/functionNames.js';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { Follow, HistoryCommand, HistoryCommands } from '../protocol/historyProtocol.js';
import type { Shown } from '../server.js';
import { expressionAt } from '../source/expressionAt.js';
import { askedAt } from './hover.js';
import { shortened } from './words.js';

interface Range {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

function action<C extends HistoryCommand>(title: string, command: C, argument: HistoryCommands[C]): CodeAction {
  return { title, command: { title, command, arguments: [argument] } };
}

/** @param lenses  the client shows code lenses, which lead to calls already */
export async function codeActionsAt(
  { document, path, session }: Shown,
  looked: Follow,
  uri: string,
  range: Range,
  lenses: boolean,
  token?: CancelToken,
): Promise<CodeAction[]> {
  const functions = session.knownFunctionsOf(path);
  const line = range.start.line + 1;
  const here = functions.find((one) => one.line <= line && line <= one.endLine);
  if (!here) return [];
  const offered: CodeAction[] = [];
  const expression =
    selectedExpression(document.getText(range), range) ?? nameAt(document.getText(wholeLine(line)), range);
  if (expression) {
    const shownAs = shortened(expression, 40);
    offered.push(
      action(`Log “${shownAs}” over the past`, 'chronofork.history.logExpression', { uri, line, expression }),
    );
    const asked = await askedAt(session, looked, document, path, range.start, token).catch(() => undefined);
    if (asked && !asked.local && asked.frameId !== undefined)
      offered.push(action(`List all writes of “${shownAs}”`, 'chronofork.history.listWrites', { uri, expression }));
  }
  const named = functions.find(({ name }) => withoutParameters(name).split('::').at(-1) === expression) ?? here;
  offered.push(action(`List all calls of ${named.name}`, 'chronofork.history.listCalls', { uri, name: named.name }));
  if (!lenses) offered.push(...waysTo(uri, named.name));
  return offered;
}

/** For editors that show no code lenses. */
function waysTo(uri: string, name: string): CodeAction[] {
  const ways = ['previous', 'next', 'first', 'last'] as const;
  return ways.map((which) =>
    action(`Go to the ${which} call of ${name}`, 'chronofork.history.goToCall', { uri, name, which }),
  );
}

function wholeLine(line: number): Range {
  return { start: { line: line - 1, character: 0 }, end: { line, character: 0 } };
}

function selectedExpression(text: string, { start, end }: Range): string | undefined {
  const selected = start.line === end.line ? text.trim().replace(/;$/, '') : '';
  return selected === '' ? undefined : selected;
}

function nameAt(line: string, { start }: Range): string | undefined {
  return expressionAt(line, start.character);
}
