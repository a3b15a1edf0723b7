/** The calls of a function: the one that is wanted, or all of them as a list. */
import type { CallRow, Moment } from '../../debug-adapter/protocol/timeTravel.js';
import type { HistoryList, WhichCall } from '../protocol/historyProtocol.js';
import { withoutParameters } from '../../debug-adapter/protocol/functionNames.js';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';
import { countText, placeText, shortened, timeText } from './words.js';

/** More rows are no list that a person reads. */
const mostListed = 1000;

/**
 * Where to go for a call; undefined: there is none on that side.
 *
 * Easy to get wrong: a part of the past that begins at the present begins with
 * the call that one stands at the beginning of, which is not the next one.
 */
export async function momentOfCall(
  session: LiveSession,
  path: string,
  name: string,
  which: WhichCall,
  token?: CancelToken,
): Promise<Moment | undefined> {
  const wanted = { function: name, source: { path } };
  const present = (await session.ask('chronofork/present', {}, token)).moment;
  const side = which === 'previous' ? { to: present.id } : which === 'next' ? { from: present.id } : {};
  const found = await session.ask('chronofork/calls', { ...wanted, ...side, count: 2 }, token);
  if (which === 'next') {
    const [first, second] = found.rows;
    const standsThere = first?.moment.pc === present.pc && first.moment.event === present.event;
    return (standsThere ? second : first)?.moment;
  }
  if (which === 'first' || found.total <= 1) return found.rows[0]?.moment;
  const last = await session.ask('chronofork/calls', { query: found.query, start: found.total - 1, count: 1 }, token);
  return last.rows[0]?.moment;
}

export async function listOfCalls(
  session: LiveSession,
  path: string,
  name: string,
  token?: CancelToken,
): Promise<HistoryList> {
  const answer = await session.ask('chronofork/calls', { function: name, source: { path }, count: mostListed }, token);
  const rows = answer.rows.map((row) => {
    const { caller } = row;
    return {
      label: callText(answer.function, row),
      description: [timeText(row.moment), ...(caller ? [`from ${placeText(caller)}`] : [])].join(' · '),
      go: { adapter: session.adapter, moment: row.moment.id },
      ...(caller?.path ? { path: caller.path } : {}),
      ...(caller?.line ? { line: caller.line } : {}),
    };
  });
  const message = limitText(answer.total, rows.length, answer.message);
  return { title: `Calls of ${answer.function}`, rows, ...(message ? { message } : {}) };
}

function callText(name: string, { arguments: given, returned, returnValue }: CallRow): string {
  const args = given.map((one) => `${one.name}=${shortened(one.value, 30)}`).join(', ');
  const result = returnValue === undefined ? '' : ` → ${shortened(returnValue, 30)}`;
  return `${withoutParameters(name)}(${args})${returned ? result : ' …'}`;
}

/** What a list leaves out. */
export function limitText(total: number, shown: number, message: string | undefined): string | undefined {
  const some = total > shown ? `The first ${countText(shown)} of ${countText(total)}.` : undefined;
  return [some, message].filter((part) => part !== undefined).join(' ') || undefined;
}
