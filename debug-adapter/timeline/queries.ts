/**
 * Looking through the past for one request: the session goes to moments of it
 * to see what cannot be noted on the way, and is where it was when it is over.
 *
 *     ask ──▶ rows: bytes that were noted at each hit     ──▶ text, by their type
 *      └────▶ rows of this page whose values need more    ──▶ go there, ask gdb
 *
 * An answer is kept for further pages: only what a page shows is made into text.
 *
 * Easy to get wrong: the client hears of none of these moves, so the last one
 * must be back to where the session was, whatever happens.
 */
import type { Core, QueryAnswer, QueryRow, QuerySpec } from '../core/core.js';
import { ChronoforkError, expectedError } from '../errors.js';
import type { Gdb } from '../gdb/miConnection.js';
import type { QueryBody } from '../protocol/timeTravel.js';
import type { TimeTravel } from './timeTravel.js';

/** As many as the core keeps. */
const keptQueries = 64;
const rowsPerPage = 100;
/** Rows that are looked at one by one: some milliseconds each. */
const mostRowsPerPage = 10_000;

/** An answer, and how a page of it is made. */
export interface KeptQuery {
  kind: string;
  answer: QueryAnswer;
  total: number;
  /** Said with every page. */
  message?: string | undefined;
  page(walk: Walk, start: number, count: number): Promise<object>;
}

export class Queries {
  private readonly kept = new Map<number, KeptQuery>();

  keep(query: KeptQuery): KeptQuery {
    this.kept.set(query.answer.id, query);
    const [oldest] = this.kept.keys();
    if (this.kept.size > keptQueries && oldest !== undefined) this.kept.delete(oldest);
    return query;
  }

  /** @throws ChronoforkError 'queryForgotten' */
  find(id: number, kind: string): KeptQuery {
    const query = this.kept.get(id);
    if (query?.kind === kind) return query;
    throw new ChronoforkError('queryForgotten', 'That answer is no longer kept.', 'Ask again.');
  }
}

/** The moves of one request. */
export class Walk {
  constructor(
    private readonly core: Core,
    private readonly gdb: Gdb,
    private readonly time: TimeTravel,
  ) {}

  ask(query: QuerySpec): Promise<QueryAnswer> {
    return this.time.operation?.cancelled ? Promise.resolve(cancelledAnswer) : this.core.ask(query);
  }

  call<T>(method: string, args: Record<string, unknown> = {}): Promise<T> {
    return this.gdb.call<T>(method, args);
  }

  rows(answer: QueryAnswer, start: number, count: number): QueryRow[] {
    return this.core.rows(answer.id, start, count);
  }

  row(answer: QueryAnswer, index: number): QueryRow {
    return this.core.rows(answer.id, index, 1)[0]!;
  }

  /** gdb has that moment before it when this resolves. @throws ChronoforkError 'cancelled' */
  goTo(row: QueryRow): Promise<void> {
    return this.goToMoment(row.moment.id);
  }

  async goToMoment(moment: number): Promise<void> {
    const { outcome } = await this.time.jump({ kind: 'seek', moment, passing: true });
    if (outcome === 'cancelled') throw new ChronoforkError('cancelled', 'Cancelled.');
  }

  /** Goes to each row in turn. */
  async each<T>(rows: readonly QueryRow[], look: (row: QueryRow) => Promise<T>): Promise<T[]> {
    const seen: T[] = [];
    for (const row of rows) {
      this.time.operation?.progress.update(seen.length / rows.length, 'Looking at each place');
      await this.goTo(row);
      seen.push(await look(row));
    }
    return seen;
  }
}

const cancelledAnswer: QueryAnswer = {
  id: -1,
  total: 0,
  complete: false,
  cancelled: true,
  counts: [],
  intervals: 0,
  skipped: 0,
};

/** @throws ChronoforkError 'cancelled' */
export function refuseIfCancelled(answer: QueryAnswer): QueryAnswer {
  if (answer.id < 0) throw new ChronoforkError('cancelled', 'Cancelled.');
  return answer;
}

/** One page, with what is the same for all queries. */
export async function pageOf(
  walk: Walk,
  query: KeptQuery,
  { start = 0, count = rowsPerPage }: { start?: number; count?: number },
): Promise<QueryBody & object> {
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 0)
    throw new ChronoforkError('invalidArguments', 'A query\'s "start" and "count" must be whole numbers.');
  const shown = Math.max(0, Math.min(count, mostRowsPerPage, query.total - start));
  const { answer } = query;
  const message = query.message ?? whyIncomplete(answer);
  return {
    query: answer.id,
    total: query.total,
    more: start + shown < query.total,
    complete: answer.complete,
    ...(message ? { message } : {}),
    ...(await query.page(walk, start, shown)),
  };
}

function whyIncomplete(answer: QueryAnswer): string | undefined {
  if (answer.complete) return undefined;
  if (answer.cancelled) return 'Cancelled: only a part of the recording was looked through.';
  return `Only the first ${answer.total} are listed: ask for a part of the time ("from", "to"), or with a condition.`;
}

/** The sentence of what gdb could not do, with another remedy. */
export function asRefusal(error: unknown, code: string, remedy: string): unknown {
  const known = expectedError(error);
  return known && known.code !== 'cancelled' ? new ChronoforkError(code, known.message, remedy) : error;
}
