/** Hovers: what a variable was, each value with the way to the moment when it got it. */
import type { Hover } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import type { Follow, GoToMoment } from '../protocol/historyProtocol.js';
import { expressionAt } from '../source/expressionAt.js';
import { withoutComments } from '../source/names.js';
import { localsOf, presentFrame, valueOf } from './presentFrame.js';
import { sparkline } from './sparkline.js';
import { placeText, shortened, timesText, timeText } from './words.js';
import { pastAtLine, pastWrites, type Past } from './writesOf.js';

/** What fits into a hover without scrolling much. */
const rowsShown = 8;

/** What is asked about, and whether it can be understood in the present frame. */
export interface Asked {
  readonly expression: string;
  /** From 1 on. */
  readonly line: number;
  /** The present frame's, if the line is in its function. */
  readonly frameId: number | undefined;
  /** It lives in the stack frame of a call. */
  readonly local: boolean;
}

export async function askedAt(
  session: LiveSession,
  looked: Follow,
  document: TextDocument,
  path: string,
  position: { line: number; character: number },
  token?: CancelToken,
): Promise<Asked | undefined> {
  const text = withoutComments(document.getText()).split('\n')[position.line] ?? '';
  const expression = expressionAt(text, position.character);
  if (!expression || /^\d/.test(expression)) return undefined;
  const behind = text.slice(
    text.indexOf(expression, Math.max(0, position.character - expression.length)) + expression.length,
  );
  if (/^\s*\(/.test(behind)) return undefined; // a function
  const line = position.line + 1;
  const frame = await presentFrame(session, looked, token);
  const functions = session.knownFunctionsOf(path);
  const own = functions.find((one) => one.line <= line && line <= one.endLine);
  const inFrame = frame?.path === path && own !== undefined && own.line <= frame.line && frame.line <= own.endLine;
  if (!frame || !inFrame) return { expression, line, frameId: undefined, local: own !== undefined };
  const root = /^\w+/.exec(expression)?.[0] ?? expression;
  const local = (await localsOf(session, frame.id, token)).has(root) && !expression.includes('->');
  return { expression, line, frameId: frame.id, local };
}

/** @throws Refused when nothing can be told */
export function pastOf(session: LiveSession, path: string, asked: Asked, token?: CancelToken): Promise<Past> {
  const { expression, frameId, line, local } = asked;
  return session.inView(`past ${expression} ${local || frameId === undefined ? line : ''}`, () =>
    frameId === undefined || local
      ? pastAtLine(session, path, line, expression, token)
      : pastWrites(session, frameId, expression, token).catch(() => pastAtLine(session, path, line, expression, token)),
  );
}

/** @param links  whether `command:` links work */
export async function historyHover(
  session: LiveSession,
  path: string,
  asked: Asked,
  links: boolean,
  token?: CancelToken,
): Promise<Hover | undefined> {
  const { expression, frameId } = asked;
  const now = frameId === undefined ? undefined : await valueOf(session, frameId, expression);
  const past = await pastOf(session, path, asked, token);
  if (past.total === 0 && now === undefined) return undefined;
  const lines = [
    `**\`${expression}\`**${now === undefined ? '' : ` = \`${codeText(now)}\``}`,
    '',
    heading(past, asked.line),
  ];
  const bars = sparkline(past.rows.map(({ value }) => value));
  if (bars) lines.push('', `\`${bars}\``);
  const shown = past.rows.slice(-rowsShown);
  if (shown.length > 0) lines.push('', '| value | when | by |', '|---|---|---|');
  for (const { value, moment, by } of shown) {
    const when = timeText(moment);
    const go: GoToMoment = { adapter: session.adapter, moment: moment.id };
    const link = links ? `[${when}](command:chronofork.history.goToMoment?${argumentText(go)})` : when;
    const writer = by ? (by.by === 'kernel' ? 'a system call' : placeText(by.location)) : `line ${asked.line}`;
    lines.push(`| \`${codeText(value)}\` | ${link} | ${cellText(writer)} |`);
  }
  return { contents: { kind: 'markdown', value: lines.join('\n') } };
}

function heading({ kind, total, rows }: Past, line: number): string {
  const some = total > Math.min(rowsShown, rows.length) ? `; the last ${Math.min(rowsShown, rows.length)}` : '';
  const what = kind === 'writes' ? `Written ${timesText(total)}` : `Line ${line} was reached ${timesText(total)}`;
  return `${what} in the recording${total > 0 ? `${some}:` : '.'}`;
}

function codeText(value: string): string {
  return shortened(value, 50).replace(/`/g, '´').replace(/\|/g, '\\|');
}

function cellText(text: string): string {
  return text.replace(/[|<>*_]/g, (character) => `\\${character}`);
}

function argumentText(argument: object): string {
  return encodeURIComponent(JSON.stringify([argument]));
}
