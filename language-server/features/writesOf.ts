/** All values that an expression has had: its writes if it is a place of its own, else what it was at a line. */
import type { Moment, ResponseOf, ValueRow, WriteRow } from '../../debug-adapter/protocol/timeTravel.js';
import type { CancelToken } from '../sessions/adapterLink.js';
import type { LiveSession } from '../sessions/liveSession.js';

/** Shown in a hover, from the last one on. */
const mostShown = 40;

export interface Past {
  readonly kind: 'writes' | 'line';
  readonly total: number;
  /** The last ones, in order. */
  readonly rows: readonly { readonly value: string; readonly moment: Moment; readonly by?: WriteRow }[];
}

interface Page {
  readonly query: number;
  readonly total: number;
  readonly rows: readonly unknown[];
}

/** The last rows of a query. */
async function lastRows<R extends Page>(first: R, more: (start: number, count: number) => Promise<R>): Promise<R> {
  if (first.total <= first.rows.length) return first;
  return more(Math.max(0, first.total - mostShown), mostShown);
}

/**
 * A variable that lives longer than a call: a global, or a part of what is pointed to.
 *
 * @throws Refused when it is in no memory, or too large
 */
export async function pastWrites(
  session: LiveSession,
  frameId: number,
  expression: string,
  token?: CancelToken,
): Promise<Past> {
  const first = await session.ask('chronofork/writes', { expression, frameId, count: mostShown }, token);
  type Body = ResponseOf<'chronofork/writes'>;
  const { total, rows }: Body = await lastRows(first, (start, count) =>
    session.ask('chronofork/writes', { query: first.query, start, count }, token),
  );
  return { kind: 'writes', total, rows: rows.map((by) => ({ value: by.newValue, moment: by.moment, by })) };
}

/** A local variable's place is another's in other calls: so its values where the line was reached. */
export async function pastAtLine(
  session: LiveSession,
  path: string,
  line: number,
  expression: string,
  token?: CancelToken,
): Promise<Past> {
  const args = { source: { path }, line, expression, count: mostShown };
  const first = await session.ask('chronofork/valueHistory', args, token);
  type Body = ResponseOf<'chronofork/valueHistory'>;
  const { total, rows }: Body = await lastRows(first, (start, count) =>
    session.ask('chronofork/valueHistory', { query: first.query, start, count }, token),
  );
  return { kind: 'line', total, rows: rows.map(({ value, moment }: ValueRow) => ({ value, moment })) };
}
