/**
 * The places where a search backwards may end, computed from what gdb knows of
 * a stack frame (see chronofork_lines.py). Pure: nothing here talks to anyone.
 *
 * gdb's `next` stops where a statement of another line begins, in the same
 * stack frame. So, looking back, the answer is the last *transition*: a
 * statement start whose line differs from that of the start hit before it. A
 * loop that stays on one line counts once, as it does forwards.
 *
 *     places of a frame        group 0: the function's entry
 *                              group n: one number for each (file, line)
 *     the same frame           rspMin <= rsp < CFA
 *
 * Functions inlined into the frame's function are stepped over, as `next` does:
 * only their first address counts, for the line that calls them. When the frame
 * is itself inlined, code of the functions around it counts too.
 *
 * A jump into the middle of a line makes gdb believe that it steps in that line,
 * without stopping. Such addresses are searched for too, in the group of their
 * line; an arrival at one is not the end (`isPassing`): the search goes on.
 *
 * Easy to get wrong: a recursive call's frame starts right below ours, so
 * rspMin must be the lowest rsp that our own code ever has; where that varies
 * (alloca), there is no rspMin and the caller checks the CFA on arrival.
 */
import type { SearchPlace } from '../core/core.js';

/** One row of the line table. */
export interface CodeRow {
  address: string;
  file: string;
  line: number;
  statement: boolean;
  /** Functions inlined around it, from the outside in. */
  chain?: string[];
  /** For each of `chain` that begins right here, the line of its call. */
  calls?: { file: string; line: number }[];
}

export interface PassingAddress {
  address: string;
  file: string;
  line: number;
  chain?: string[];
}

export interface FunctionCode {
  entry: string;
  /** The second instruction: every call passes it after the entry. */
  second: string;
  /** The greatest CFA - rsp; null when it varies. */
  depth: number | null;
  /** Addresses after calls of functions that have lines, or that are not known before. */
  returnSites: string[];
  /** gdb's breakpoints on the function are behind its prologue: the entry is no place to stop. */
  setsUpFrame: boolean;
  ranges: [string, string][];
  rows: CodeRow[];
  /** Addresses inside rows where gdb takes up another line without stopping. */
  passing: PassingAddress[];
}

export interface StepFrame {
  pc: string;
  rsp: string;
  /** null for the outermost frame. */
  cfa: string | null;
  line?: number;
  file?: string;
  /** Entry of the function; absent without debug information. */
  function?: string;
  name?: string;
  chain?: string[];
  code?: FunctionCode;
}

/** The group of a function's entry. */
export const entryGroup = 0;

/** Whether `inner` begins with all of `outer`. */
function isAround(outer: string[], inner: string[]): boolean {
  return outer.length <= inner.length && outer.every((name, index) => inner[index] === name);
}

/** The line that counts at a row for a stepping frame inside `chain`, or undefined if it is stepped over. */
export function lineAt(row: CodeRow, chain: string[]): { file: string; line: number } | undefined {
  const rowChain = row.chain ?? [];
  const begun = row.calls ?? [];
  if (begun.length > 0) {
    const around = rowChain.slice(0, rowChain.length - begun.length);
    // gdb shows the frame around them at the line of the innermost call.
    return isAround(around, chain) ? begun.at(-1) : undefined;
  }
  return row.statement && isAround(rowChain, chain) ? { file: row.file, line: row.line } : undefined;
}

/** The range of rsp in which a hit belongs to this very stack frame. */
export function frameLimits(frame: StepFrame, code: FunctionCode): { rspMin?: string; rspMax?: string } {
  if (frame.cfa === null) return {};
  const cfa = BigInt(frame.cfa);
  if (code.depth === null) return { rspMax: frame.cfa };
  return { rspMin: hex(cfa - BigInt(code.depth)), rspMax: frame.cfa };
}

/** Every statement start of the frame's function, its entry, and where gdb changes lines without stopping. */
export function placesOf(frame: StepFrame, code: FunctionCode): SearchPlace[] {
  const limits = frameLimits(frame, code);
  const chain = frame.chain ?? [];
  const groups = new Map<string, number>();
  const places: SearchPlace[] = [{ address: code.entry, group: entryGroup, ...limits }];
  const add = (address: string, { file, line }: { file: string; line: number }) => {
    const key = `${line}:${file}`;
    const group = groups.get(key) ?? groups.size + 1;
    groups.set(key, group);
    places.push({ address, group, ...limits });
  };
  for (const row of code.rows) {
    if (BigInt(row.address) === BigInt(code.entry)) continue;
    const line = lineAt(row, chain);
    if (line) add(row.address, line);
  }
  for (const passing of code.passing) if (isAround(passing.chain ?? [], chain)) add(passing.address, passing);
  return places;
}

/**
 * Whether functions inlined into the frame begin at `pc`. Having stepped there,
 * gdb shows the frame around them; having jumped there, the innermost of them.
 */
export function isInlineCall(code: FunctionCode, pc: string): boolean {
  return code.rows.some(({ address, calls }) => calls !== undefined && BigInt(address) === BigInt(pc));
}

/** Whether a search that arrived at `pc` has to go on: gdb would not have stopped there. */
export function isPassing(code: FunctionCode, pc: string): boolean {
  return code.passing.some(({ address }) => BigInt(address) === BigInt(pc));
}

/** The entry (group 0) and the instruction after it (group 1): every call of the function passes both. */
export function entryPlaces(frame: StepFrame, code: FunctionCode): SearchPlace[] {
  const limits = frameLimits(frame, code);
  return [
    { address: code.entry, group: entryGroup, ...limits },
    { address: code.second, group: 1, ...limits },
  ];
}

/** The places of the frame, and the addresses that calls return to, each a group of its own from `firstSite` on. */
export function placesWithReturnSites(
  frame: StepFrame,
  code: FunctionCode,
): { places: SearchPlace[]; firstSite: number } {
  const places = placesOf(frame, code);
  const limits = frameLimits(frame, code);
  const firstSite = Math.max(...places.map((place) => place.group)) + 1;
  const sites = new Set(code.returnSites);
  // A statement may begin where a call returns to; the return tells more.
  const others = places.filter((place) => !sites.has(place.address));
  const added = [...sites].map((address, index) => ({ address, group: firstSite + index, ...limits }));
  return { places: [...others, ...added], firstSite };
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
