/** Lists that a person asks for: an expression at every hit of a line, the writes of a place. */
import { basename } from 'node:path';
import type { HistoryList } from '../protocol/historyProtocol.js';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import { limitText } from './calls.js';
import { placeText, shortened, timeText } from './words.js';

const mostListed = 1000;

/** @param line  from 1 on */
export async function listOfValues(
  session: LiveSession,
  path: string,
  line: number,
  expression: string,
  token?: CancelToken,
): Promise<HistoryList> {
  const args = { source: { path }, line, expression, count: mostListed };
  const answer = await session.ask('chronofork/valueHistory', args, token);
  const rows = answer.rows.map(({ moment, value }) => ({
    label: `${expression} = ${shortened(value, 200)}`,
    description: timeText(moment),
    go: { adapter: session.adapter, moment: moment.id },
    path,
    line,
  }));
  const message = limitText(answer.total, rows.length, answer.message);
  const title = `${expression} at ${basename(path)}:${line}`;
  return { title, rows, ...(message ? { message } : {}) };
}

export async function listOfWrites(
  session: LiveSession,
  frameId: number,
  expression: string,
  token?: CancelToken,
): Promise<HistoryList> {
  const answer = await session.ask('chronofork/writes', { expression, frameId, count: mostListed }, token);
  const rows = answer.rows.map(({ moment, oldValue, newValue, by, location }) => ({
    label: `${shortened(oldValue, 60)} → ${shortened(newValue, 60)}`,
    description: `${timeText(moment)} · ${by === 'kernel' ? 'a system call' : placeText(location)}`,
    go: { adapter: session.adapter, moment: moment.id },
    ...(location.path ? { path: location.path } : {}),
    ...(location.line ? { line: location.line } : {}),
  }));
  const message = limitText(answer.total, rows.length, answer.message);
  return { title: `Writes of ${answer.expression}`, rows, ...(message ? { message } : {}) };
}
