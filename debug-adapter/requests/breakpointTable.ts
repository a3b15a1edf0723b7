/**
 * The breakpoints of a session: which DAP breakpoint is which of gdb's.
 *
 * A request for a source gives the whole list; what did not change is kept, so
 * that its hit count goes on. A breakpoint that gdb cannot place yet is kept
 * pending and becomes verified when a library brings its code.
 *
 * Hit counts are gdb's own ignore counts, except for logpoints, which count in
 * chronofork_breakpoints.py. They count hits while running forwards again, too.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { basename } from 'node:path';
import { ChronoforkError, messageOf } from '../errors.js';
import type { Gdb } from '../gdb/miConnection.js';
import { quoteMi, text, tuple, type MiTuple } from '../gdb/miParser.js';

export type BreakpointKind = 'source' | 'function' | 'instruction' | 'data';

/** What a client asks for, whatever the kind. */
export interface BreakpointSpec {
  kind: BreakpointKind;
  /** Says where, for gdb's MI: arguments of -break-insert, or of -break-watch. */
  where: string;
  /** Says where, in the syntax of gdb's command line (for logpoints). */
  linespec: string;
  condition?: string;
  hitCondition?: string;
  logMessage?: string;
  /** For messages. */
  path?: string;
  line?: number;
  /** For data breakpoints: in a user's words. */
  description?: string;
}

interface Entry {
  id: number;
  key: string;
  spec: BreakpointSpec;
  /** gdb's number; undefined when gdb refused. */
  number: number | undefined;
  shown: DebugProtocol.Breakpoint;
  /** `N` and `==N`: gdb stops once and the breakpoint is spent. */
  once: boolean;
}

export class BreakpointTable {
  private readonly lists = new Map<string, Entry[]>();
  private nextId = 1;
  private logpointsEnabled = true;

  constructor(
    private readonly gdb: Gdb,
    private readonly onDidChange: (breakpoint: DebugProtocol.Breakpoint) => void,
  ) {}

  /** Replaces the list of one source (or kind); the answer is in the order of the request. */
  async replace(listName: string, specs: BreakpointSpec[]): Promise<DebugProtocol.Breakpoint[]> {
    const old = this.lists.get(listName) ?? [];
    const left = new Map(old.map((entry) => [entry.key, entry]));
    const entries: Entry[] = [];
    const wanted: (Entry | BreakpointSpec)[] = specs.map((spec) => {
      const key = JSON.stringify(spec);
      const kept = left.get(key);
      left.delete(key);
      return kept ?? spec;
    });
    for (const gone of left.values()) await this.remove(gone);
    for (const item of wanted) entries.push('id' in item ? item : await this.insert(item));
    this.lists.set(listName, entries);
    return entries.map((entry) => entry.shown);
  }

  /** The DAP ids and specs for numbers of gdb's. */
  withNumber(number: number): { id: number; spec: BreakpointSpec } | undefined {
    for (const entry of this.all()) if (entry.number === number) return entry;
    return undefined;
  }

  /** Those at an address, for stops that gdb did not explain. */
  async atAddress(address: string): Promise<number[]> {
    const table = tuple(await this.gdb.command('-break-list'), 'BreakpointTable');
    const rows = Array.isArray(table.body) ? (table.body as MiTuple[]) : [];
    const found: number[] = [];
    for (const row of rows) {
      const addresses = [text(row, 'addr'), ...locationsOf(row).map((location) => text(location, 'addr'))];
      if (!addresses.some((one) => one.startsWith('0x') && BigInt(one) === BigInt(address))) continue;
      const entry = this.withNumber(Number(text(row, 'number')));
      if (entry) found.push(entry.id);
    }
    return found;
  }

  /** Where a breakpoint on a source line would be, as 0x…, and on which line. None is left. */
  async placesOf(path: string, line: number): Promise<{ addresses: string[]; line: number }> {
    const inserted = await this.gdb
      .command(`-break-insert --source ${quoteMi(path)} --line ${line}`)
      .catch(() => undefined);
    if (!inserted)
      throw new ChronoforkError(
        'noCodeThere',
        `No code of the program was built from line ${line} of ${basename(path)}, or from one after it.`,
        'Choose a line with a statement. If the program was built elsewhere, set "sourceMap".',
      );
    const shown = tuple(inserted, 'bkpt');
    await this.gdb.command(`-break-delete ${text(shown, 'number')}`);
    const places = text(shown, 'addr') === '<MULTIPLE>' ? locationsOf(shown) : [shown];
    return {
      addresses: places.map((place) => text(place, 'addr')),
      line: Number(text(places[0] ?? shown, 'line')) || line,
    };
  }

  /** After a stop at it: a breakpoint for the N-th hit is spent, one for every N-th waits again. */
  async afterHit(number: number): Promise<void> {
    for (const entry of this.all()) {
      if (entry.number !== number || entry.spec.logMessage !== undefined) continue;
      const every = /^\s*%\s*(\d+)/.exec(entry.spec.hitCondition ?? '');
      if (every) await this.gdb.command(`-break-after ${number} ${Math.max(0, Number(every[1]) - 1)}`);
      else if (entry.once) await this.gdb.command(`-break-disable ${number}`);
    }
  }

  /** Logpoints are silent backwards; and each would cost a stop. */
  async enableLogpoints(enabled: boolean): Promise<void> {
    if (enabled === this.logpointsEnabled) return;
    this.logpointsEnabled = enabled;
    for (const entry of this.all())
      if (entry.spec.logMessage !== undefined && entry.number !== undefined)
        await this.gdb.command(`-break-${enabled ? 'enable' : 'disable'} ${entry.number}`);
  }

  /** `=breakpoint-modified`: a pending one may have found its code. */
  modified(fields: MiTuple): void {
    const shown = tuple(fields, 'bkpt');
    for (const entry of this.all()) {
      if (entry.number !== Number(text(shown, 'number')) || entry.spec.kind === 'data') continue;
      const before = entry.shown;
      const after = this.show(entry.id, entry.spec, shown, '');
      if (before.verified === after.verified && before.line === after.line) continue;
      entry.shown = after;
      this.onDidChange(after);
    }
  }

  private *all(): Iterable<Entry> {
    for (const list of this.lists.values()) yield* list;
  }

  private async remove(entry: Entry): Promise<void> {
    if (entry.number !== undefined) await this.gdb.command(`-break-delete ${entry.number}`).catch(() => undefined);
  }

  private async insert(spec: BreakpointSpec): Promise<Entry> {
    const id = this.nextId++;
    const key = JSON.stringify(spec);
    try {
      const hits = parseHitCondition(spec.hitCondition);
      const { fields, log } = await this.create(spec);
      const shown = {
        ...tuple(fields, 'bkpt'),
        ...tuple(fields, 'wpt'),
        ...tuple(fields, 'hw-awpt'),
        ...tuple(fields, 'hw-rwpt'),
      };
      const number = Number(text(shown, 'number'));
      if (spec.kind === 'data' && spec.condition)
        await this.gdb.command(`-break-condition ${number} ${spec.condition}`);
      if (spec.logMessage === undefined && hits.ignore > 0)
        await this.gdb.command(`-break-after ${number} ${hits.ignore}`);
      return { id, key, spec, number, shown: this.show(id, spec, shown, log), once: hits.once };
    } catch (error) {
      const shown = { id, verified: false, message: messageOf(error), ...(spec.line ? { line: spec.line } : {}) };
      return { id, key, spec, number: undefined, shown, once: false };
    }
  }

  private async create(spec: BreakpointSpec): Promise<{ fields: MiTuple; log: string }> {
    if (spec.kind === 'data') return this.gdb.commandWithLog(`-break-watch ${spec.where}`);
    if (spec.logMessage !== undefined) {
      const { number } = await this.gdb.call<{ number: number }>('insert_logpoint', {
        location: spec.linespec,
        template: spec.logMessage,
        condition: spec.condition ?? '',
        hits: spec.hitCondition ?? '',
      });
      const table = tuple(await this.gdb.command(`-break-info ${number}`), 'BreakpointTable');
      return { fields: { bkpt: (Array.isArray(table.body) ? table.body[0] : undefined) ?? {} }, log: '' };
    }
    const condition = spec.condition ? `-c ${quoteMi(spec.condition)} ` : '';
    return this.gdb.commandWithLog(`-break-insert -f ${condition}${spec.where}`);
  }

  private show(id: number, spec: BreakpointSpec, shown: MiTuple, log: string): DebugProtocol.Breakpoint {
    if (spec.kind === 'data') return { id, verified: true };
    const address = text(shown, 'addr');
    if (address === '<PENDING>') {
      const line = spec.line === undefined ? {} : { line: spec.line };
      return { id, verified: false, ...line, message: pendingMessage(spec, log) };
    }
    const first = address === '<MULTIPLE>' ? (locationsOf(shown)[0] ?? shown) : shown;
    const line = Number(text(first, 'line')) || spec.line;
    const path = text(first, 'fullname');
    return {
      id,
      verified: true,
      ...(line ? { line } : {}),
      ...(path ? { source: { name: basename(path), path } } : {}),
      instructionReference: text(first, 'addr'),
    };
  }
}

/** The locations of a breakpoint that has several: MI 3 lists them, older gdbs write them after it. */
function locationsOf(shown: MiTuple): MiTuple[] {
  const listed = shown.locations ?? shown[''];
  return Array.isArray(listed) ? (listed as MiTuple[]) : [];
}

function pendingMessage(spec: BreakpointSpec, log: string): string {
  if (spec.kind === 'function')
    return 'No function of this name is known; it may come with a library that is not loaded yet.';
  if (/No line \d+ in|No compiled code/.test(log)) return 'There is no code on this line or after it.';
  return `No loaded code was built from ${spec.path ? basename(spec.path) : 'this file'}. If the program was built elsewhere, set "sourceMap"; build it with -g.`;
}

/**
 * `N` and `==N`: the N-th hit alone; `>N`, `>=N`: from there on; `%N`: every N-th.
 *
 * @throws Error with the sentence to show at the breakpoint
 */
export function parseHitCondition(condition: string | undefined): { ignore: number; once: boolean } {
  if (condition === undefined || condition.trim() === '') return { ignore: 0, once: false };
  const match = /^\s*(==|=|>=|>|%)?\s*(\d+)\s*$/.exec(condition);
  if (!match) throw new Error(`The hit count "${condition}" is not understood: use N, >N, >=N or %N.`);
  const number = Number(match[2]);
  if (match[1] === '>') return { ignore: number, once: false };
  const ignore = Math.max(0, number - 1);
  return { ignore, once: match[1] !== '>=' && match[1] !== '%' };
}
