/**
 * The steps backwards, made of armed searches (see core.ts) over the places
 * that stepFrames.ts computes.
 *
 * Step back over, from S in stack frame F:
 *   1. search the last transition among the statement starts of F's function,
 *      within F; breakpoints on the way win;
 *   2. if it ended at the function's entry (and gdb skips its prologue, so one
 *      never stops there), or S is the entry: search on among the statement
 *      starts of the caller's frame. That is the line that holds the call;
 *   3. compare the CFA with F's: a deeper call of the same function may have
 *      been met where its frame cannot be told apart beforehand; search on.
 *
 * Without line information all of them are steps of one instruction.
 */
import type { OperationResult, SearchPlace, TimeOperation } from '../core/core.js';
import type { Gdb } from '../gdb/miConnection.js';
import {
  entryGroup,
  entryPlaces,
  isInlineCall,
  isPassing,
  placesOf,
  placesWithReturnSites,
  type FunctionCode,
  type StepFrame,
} from './stepFrames.js';

export type Granularity = 'statement' | 'line' | 'instruction';

/** Whose step it is. */
export interface Stepped {
  tid: number;
  /** What other threads did on the way is passed over, also their breakpoints. */
  alone?: boolean;
}

export interface ReverseStepResult {
  result: OperationResult;
  /** Why it is not quite what was asked for. */
  message?: string;
}

interface Jumper {
  jump(operation: TimeOperation): Promise<OperationResult>;
  /** A step forwards, as gdb does it. */
  next(): Promise<void>;
}

const noCallerLines =
  'The caller has no source lines: step back by instruction, or use reverse continue, to go further.';
const noLines = 'There are no source lines here, so this was a step of one instruction.';

/** The group that is counted each time, however often in a row. */
const everyExecution = 0;

/** A search that meets so many deeper calls of the same function gives up where it is. */
const mostRounds = 10_000;

export class ReverseSteps {
  private readonly codeByFunction = new Map<string, FunctionCode>();

  constructor(
    private readonly gdb: Gdb,
    private readonly time: Jumper,
    private readonly presentMoment: () => number,
    /** gdb has breakpoints of its own, in the loader for example: they are no reason to stop. */
    private readonly isUsersBreakpoint: (address: string) => Promise<boolean>,
  ) {}

  /** Libraries came or went: addresses may mean something else now. */
  forgetCode(): void {
    this.codeByFunction.clear();
  }

  async over(who: Stepped, granularity: Granularity): Promise<ReverseStepResult> {
    if (granularity === 'instruction') return { result: await this.instruction(who) };
    const [frame, caller] = await this.frames(who);
    const code = frame && this.codeOf(frame);
    if (!frame || !code) return { result: await this.instruction(who), message: noLines };
    if (same(frame.pc, code.entry)) return this.toCaller(who, caller);
    const result = await this.searchWithin(who, frame, code, placesOf(frame, code));
    if (result.outcome === 'found' && result.group === entryGroup && code.setsUpFrame)
      return this.toCaller(who, caller);
    return { result };
  }

  /** To the call instruction in the caller. */
  async out(who: Stepped): Promise<ReverseStepResult> {
    const [frame, caller] = await this.frames(who);
    const code = frame && this.codeOf(frame);
    if (!frame || !code) return { result: await this.instruction(who), message: noLines };
    if (!same(frame.pc, code.entry)) {
      const passed = await this.searchWithin(who, frame, code, entryPlaces(frame, code));
      if (passed.outcome !== 'found') return { result: passed };
      if (passed.group !== entryGroup) {
        const atEntry = await this.instruction(who);
        if (atEntry.outcome !== 'found') return { result: atEntry };
      }
    }
    if (!caller || !this.codeOf(caller)) return { result: await this.here(), message: noCallerLines };
    return { result: await this.instruction(who) };
  }

  /** To the previous statement, or into the function that was called last on the way there. */
  async into(who: Stepped, granularity: Granularity): Promise<ReverseStepResult> {
    if (granularity === 'instruction') return { result: await this.instruction(who) };
    const [frame] = await this.frames(who);
    const code = frame && this.codeOf(frame);
    if (!frame || !code || code.returnSites.length === 0 || same(frame.pc, code.entry))
      return this.over(who, granularity);
    const start = this.presentMoment();
    const { places, firstSite } = placesWithReturnSites(frame, code);
    const found = await this.searchWithin(who, frame, code, places);
    if (found.outcome !== 'found') return { result: found };
    if (found.group !== undefined && found.group >= firstSite) {
      const entered = await this.intoCallee(who, frame);
      if (entered) return { result: entered };
    }
    // Nothing with lines was called: an ordinary step back from where we were.
    await this.time.jump({ kind: 'seek', moment: start });
    return this.over(who, granularity);
  }

  /** From right after a call to the last line of the function called; undefined if that has no lines. */
  private async intoCallee(who: Stepped, from: StepFrame): Promise<OperationResult | undefined> {
    const atReturn = await this.instruction(who);
    if (atReturn.outcome !== 'found') return atReturn;
    const [callee] = await this.frames(who);
    const code = callee && this.codeOf(callee);
    if (!callee || !code || callee.cfa === from.cfa) return undefined;
    return this.searchWithin(who, callee, code, placesOf(callee, code));
  }

  /** To the last execution of one of the addresses, in any stack frame; a breakpoint of the user's on the way wins. */
  async backTo(addresses: readonly string[]): Promise<OperationResult> {
    const places = addresses.map((address): SearchPlace => ({ address, group: everyExecution }));
    for (;;) {
      const result = await this.time.jump({ kind: 'lastTransition', places, stopAtBreakpoints: true });
      const unasked =
        result.outcome === 'breakpoint' && !(await this.isUsersBreakpoint(result.address ?? result.moment.pc));
      if (!unasked) return result;
    }
  }

  async instruction({ tid }: Stepped): Promise<OperationResult> {
    const functions = await this.gdb.call<{ start: string; end: string }[]>('code_ranges', { tid });
    return this.time.jump({ kind: 'stepInstructionBack', functions, tid });
  }

  /** From a function's entry to the start of the caller's line that called it. */
  private async toCaller(who: Stepped, caller: StepFrame | undefined): Promise<ReverseStepResult> {
    const code = caller && this.codeOf(caller);
    if (!caller || !code) return { result: await this.here(), message: noCallerLines };
    const result = await this.searchWithin(who, caller, code, placesOf(caller, code));
    return { result };
  }

  /** Searches back until gdb would have stopped there, in the stack frame `frame`. */
  private async searchWithin(
    who: Stepped,
    frame: StepFrame,
    code: FunctionCode,
    places: SearchPlace[],
  ): Promise<OperationResult> {
    for (let round = 0; ; round++) {
      const result = await this.time.jump({ kind: 'lastTransition', places, stopAtBreakpoints: true, ...who });
      if (round >= mostRounds) return result;
      if (result.outcome === 'breakpoint' && !(await this.isUsersBreakpoint(result.address ?? result.moment.pc)))
        continue;
      if (result.outcome !== 'found') return result;
      if (isPassing(code, result.moment.pc)) continue;
      if (await this.isIn(frame, who)) {
        if (isInlineCall(code, result.moment.pc)) await this.arriveByStep(who, result);
        return result;
      }
    }
  }

  private async isIn(frame: StepFrame, { tid }: Stepped): Promise<boolean> {
    if (frame.cfa === null) return true;
    const { cfa } = await this.gdb.call<{ cfa: string | null }>('where', { tid });
    return cfa === null || same(cfa, frame.cfa);
  }

  /**
   * Arrives again, by a step forwards from the instruction before: only so does
   * gdb see the call of an inlined function there, and steps over it next time.
   */
  private async arriveByStep(who: Stepped, { moment }: OperationResult): Promise<void> {
    const before = await this.instruction(who);
    if (before.outcome === 'found') await this.time.next();
    if (!same((await this.gdb.call<{ pc: string }>('where', { tid: who.tid })).pc, moment.pc))
      await this.time.jump({ kind: 'seek', moment: moment.id });
  }

  /** An arrival where one is already, with gdb told so. */
  private here(): Promise<OperationResult> {
    return this.time.jump({ kind: 'seek', moment: this.presentMoment() });
  }

  private async frames({ tid }: Stepped): Promise<StepFrame[]> {
    const frames = await this.gdb.call<StepFrame[]>('step_frames', { tid, known: [...this.codeByFunction.keys()] });
    for (const frame of frames) if (frame.function && frame.code) this.codeByFunction.set(frame.function, frame.code);
    return frames;
  }

  private codeOf(frame: StepFrame): FunctionCode | undefined {
    return frame.function === undefined ? undefined : this.codeByFunction.get(frame.function);
  }
}

function same(one: string, other: string): boolean {
  return BigInt(one) === BigInt(other);
}
