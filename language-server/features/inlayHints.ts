/**
 * Inlay hints: the values of variables at the moment one is at, and for clients
 * that do not draw them how often each line was reached.
 */
import type { InlayHint } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import type { Follow } from '../protocol/historyProtocol.js';
import { declaredOn, mentions, namesByLine } from '../source/names.js';
import type { Counts } from './lineCounts.js';
import { localsOf, presentFrame, valueOf } from './presentFrame.js';
import { countText, shortened, timesText } from './words.js';

/** Lines before the present one whose variables are shown. */
const linesBefore = 40;
/** Names on the present line that are no local variables: each is a question to gdb. */
const mostGlobals = 8;

/** The values around the present stop, if it is in this file. */
export async function valueHints(
  session: LiveSession,
  looked: Follow,
  document: TextDocument,
  path: string,
  token?: CancelToken,
): Promise<InlayHint[]> {
  const frame = await presentFrame(session, looked, token);
  if (frame?.path !== path) return [];
  const present = frame.line - 1;
  const around = session
    .knownFunctionsOf(path)
    .find(({ line, endLine }) => line <= frame.line && frame.line <= endLine);
  const first = Math.max((around?.line ?? frame.line) - 1, present - linesBefore);
  const values = new Map(await localsOf(session, frame.id, token));
  const lines = namesByLine(document.getText());
  const others = (lines[present] ?? []).filter((name) => !values.has(name)).slice(0, mostGlobals);
  for (const name of others) {
    const value = await valueOf(session, frame.id, name);
    if (value !== undefined && !value.startsWith('{')) values.set(name, value);
  }
  // A product looks like a declaration (`a * b`), but what a line computes with is shown on a line before mostly.
  if (frame.innermost) for (const name of declaredOn(lineText(document, present))) values.delete(name);
  return mentions(lines, first, present, new Set(values.keys())).map(({ line, names }) => {
    const text = names.map((name) => `${name} = ${shortened(values.get(name) ?? '', 40)}`).join(', ');
    const tooltip = names.map((name) => `${name} = ${values.get(name)}`).join('\n');
    return { position: endOf(document, line), label: shortened(text, 120), tooltip, paddingLeft: true };
  });
}

export function countHints(document: TextDocument, counts: Counts): InlayHint[] {
  return [...counts.lines].map(([line, count]) => ({
    position: endOf(document, line - 1),
    label: `${countText(count)}×`,
    tooltip: `reached ${timesText(count)}`,
    paddingLeft: true,
  }));
}

function lineText(document: TextDocument, line: number): string {
  return document.getText({ start: { line, character: 0 }, end: { line: line + 1, character: 0 } });
}

function endOf(document: TextDocument, line: number): { line: number; character: number } {
  const text = lineText(document, line);
  return { line, character: text.replace(/\r?\n$/, '').length };
}
