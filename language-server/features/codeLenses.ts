/** Code lenses on functions: how often each was called, and the ways to its calls. */
import type { CodeLens } from 'vscode-languageserver';
import type { HistoryCommand, HistoryCommands, WhichCall } from '../protocol/historyProtocol.js';
import type { LiveSession } from '../sessions/liveSession.js';
import type { Agreement } from '../source/documents.js';
import type { Counts } from './lineCounts.js';
import { timesText } from './words.js';

const ways: readonly { which: WhichCall; title: string }[] = [
  { which: 'first', title: 'first' },
  { which: 'previous', title: '← previous' },
  { which: 'next', title: 'next →' },
  { which: 'last', title: 'last' },
];

function lens<C extends HistoryCommand>(
  line: number,
  title: string,
  command: C,
  argument: HistoryCommands[C],
): CodeLens {
  const at = { line: Math.max(0, line), character: 0 };
  return { range: { start: at, end: at }, command: { title, command, arguments: [argument] } };
}

function plain(line: number, title: string): CodeLens {
  const at = { line: Math.max(0, line), character: 0 };
  return { range: { start: at, end: at }, command: { title, command: '' } };
}

export function functionLenses(uri: string, counts: Counts): CodeLens[] {
  return counts.functions.flatMap(({ name, line, count }) => {
    const at = line - 1;
    if (count === 0) return [plain(at, 'never called')];
    const all = lens(at, `called ${timesText(count)}`, 'chronofork.history.listCalls', { uri, name });
    const offered = count === 1 ? [{ which: 'first' as const, title: 'go there' }] : ways;
    return [
      all,
      ...offered.map(({ which, title }) => lens(at, title, 'chronofork.history.goToCall', { uri, name, which })),
    ];
  });
}

/** The recording is long: the person says when it is counted. */
export function countingLens(uri: string, session: LiveSession, path: string): CodeLens[] {
  const [first] = session.knownFunctionsOf(path);
  if (!first || !session.view) return [];
  return [
    lens(first.line - 1, 'Count calls and lines of this file over the recording', 'chronofork.history.count', { uri }),
  ];
}

export function disagreement(found: Agreement): CodeLens[] {
  if (found !== 'newer') return [];
  return [plain(0, 'This file was changed after the program was built: its history is not shown.')];
}
