/**
 * The algorithm of the steps backwards, over a scripted program: main (frame
 * at 0x8000) calls f (frame at 0x7f00), which calls itself once (0x7e00).
 */
import assert from 'node:assert/strict';
import { FakeCore, type FakeStep } from '../../../debug-adapter/core/fakeCore.js';
import type { TimeOperation } from '../../../debug-adapter/core/core.js';
import type { Gdb } from '../../../debug-adapter/gdb/miConnection.js';
import { ReverseSteps } from '../../../debug-adapter/timeline/reverseSteps.js';
import type { FunctionCode, StepFrame } from '../../../debug-adapter/timeline/stepFrames.js';

// main: entry 0x100, lines 10 (0x104), 11 (0x108; call at 0x10a, returns to 0x10c), 12 (0x110)
// f:    entry 0x200, lines 20 (0x204), 21 (0x208; call at 0x20a, returns to 0x20c), 22 (0x210)
const depth = 0x40;
const main = { tid: 1 };

function functionCode(base: number, firstLine: number): FunctionCode {
  const at = (offset: number) => `0x${(base + offset).toString(16)}`;
  return {
    entry: at(0),
    second: at(2),
    depth,
    returnSites: [at(0xc)],
    setsUpFrame: true,
    passing: [],
    ranges: [[at(0), at(0x20)]],
    rows: [
      { address: at(0), file: 'a.c', line: firstLine - 1, statement: true },
      { address: at(4), file: 'a.c', line: firstLine, statement: true },
      { address: at(8), file: 'a.c', line: firstLine + 1, statement: true },
      { address: at(0x10), file: 'a.c', line: firstLine + 2, statement: true },
    ],
  };
}

const codes: Record<string, FunctionCode> = { '0x100': functionCode(0x100, 10), '0x200': functionCode(0x200, 20) };

/** The instructions of one call whose frame begins under `cfa`; `inner` is carried out at its call. */
function call(base: number, cfa: number, inner: FakeStep[]): FakeStep[] {
  const rsp = cfa - depth;
  const body = [4, 6, 8, 0xa].map((offset) => ({ pc: base + offset, rsp }));
  return [
    { pc: base, rsp: cfa - 8 },
    { pc: base + 2, rsp: cfa - 16 },
    ...body,
    ...inner,
    { pc: base + 0xc, rsp },
    { pc: base + 0x10, rsp },
    { pc: base + 0x12, rsp: cfa - 8 },
  ];
}

const innerF = call(0x200, 0x7e00, []);
const outerF = call(0x200, 0x7f00, innerF);
const program = call(0x100, 0x8000, outerF);

function cfaOf(step: FakeStep): number {
  return [0x7e00, 0x7f00, 0x8000].find((cfa) => step.rsp < cfa)!;
}

function frameAt(step: FakeStep): StepFrame {
  const cfa = cfaOf(step);
  const entry = step.pc < 0x200 ? '0x100' : '0x200';
  return {
    pc: `0x${step.pc.toString(16)}`,
    rsp: `0x${step.rsp.toString(16)}`,
    cfa: `0x${cfa.toString(16)}`,
    function: entry,
  };
}

class World {
  readonly internalBreakpoints = new Set<number>();
  readonly core = new FakeCore([...program]);
  readonly gdb: Gdb = {
    command: async () => ({}),
    commandWithLog: async () => ({ fields: {}, log: '' }),
    console: async () => '',
    call: async <T>(method: string, args: Record<string, unknown> = {}) => this.answer(method, args) as T,
  };
  readonly steps = new ReverseSteps(
    this.gdb,
    {
      jump: (operation: TimeOperation) => {
        const result = this.core.arm(operation);
        this.core.reverseContinue();
        return result;
      },
      next: async () => assert.fail('nothing is inlined here'),
    },
    () => this.core.now,
    async (address) => !this.internalBreakpoints.has(Number(address)),
  );

  get step(): FakeStep {
    return this.core.steps[this.core.now]!;
  }

  /** Goes to the n-th time (from the end: 0 the last) that pc is reached. */
  at(pc: number, fromEnd = 0): this {
    const indices = program.map((step, index) => (step.pc === pc ? index : -1)).filter((index) => index >= 0);
    this.core.now = indices.at(-1 - fromEnd)!;
    return this;
  }

  get pc(): string {
    return `0x${this.step.pc.toString(16)} in ${cfaOf(this.step).toString(16)}`;
  }

  private answer(method: string, args: Record<string, unknown>): unknown {
    if (method === 'where') return frameAt(this.step);
    if (method === 'code_ranges') return [];
    if (method !== 'step_frames') throw new Error(method);
    const own = frameAt(this.step);
    const callerCfa = { 0x7e00: 0x7f00, 0x7f00: 0x8000 }[cfaOf(this.step)];
    const frames = [own];
    if (callerCfa !== undefined)
      frames.push({
        pc: callerCfa === 0x8000 ? '0x10c' : '0x20c',
        rsp: own.cfa!,
        cfa: `0x${callerCfa.toString(16)}`,
        function: callerCfa === 0x8000 ? '0x100' : '0x200',
      });
    const known = args.known as string[];
    return frames.map((frame) =>
      known.includes(frame.function!) ? frame : { ...frame, code: codes[frame.function!] },
    );
  }
}

describe('reverseSteps', () => {
  it('goes to the line before, over the call in it', async () => {
    const world = new World().at(0x110);
    const { result } = await world.steps.over(main, 'line');
    assert.equal(result.outcome, 'found');
    assert.equal(world.pc, '0x108 in 8000');
  });

  it('stays in its own stack frame when the function has called itself', async () => {
    const world = new World().at(0x210);
    await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x208 in 7f00');
    await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x204 in 7f00');
  });

  it('goes from a function’s first line to the caller’s line that calls it', async () => {
    const world = new World().at(0x204, 1);
    await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x108 in 8000');
    const inner = new World().at(0x204);
    await inner.steps.over(main, 'line');
    assert.equal(inner.pc, '0x208 in 7f00');
  });

  it('goes to the caller from the entry itself, not into an earlier call', async () => {
    const world = new World().at(0x200);
    await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x208 in 7f00');
  });

  it('stops at the entry of a function whose caller has no lines, and says so', async () => {
    const world = new World().at(0x104);
    const { message } = await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x100 in 8000');
    assert.match(message ?? '', /caller has no source lines/);
  });

  it('stops at a breakpoint on the way', async () => {
    const world = new World().at(0x110);
    world.core.breakpoints.add(0x204);
    const { result } = await world.steps.over(main, 'line');
    assert.equal(result.outcome, 'breakpoint');
    assert.equal(world.pc, '0x204 in 7e00');
  });

  it('passes a breakpoint of gdb’s own', async () => {
    const world = new World().at(0x110);
    world.core.breakpoints.add(0x206);
    world.internalBreakpoints.add(0x206);
    const { result } = await world.steps.over(main, 'line');
    assert.equal(result.outcome, 'found');
    assert.equal(world.pc, '0x108 in 8000');
  });

  it('steps out to the call instruction', async () => {
    const world = new World().at(0x210, 1);
    await world.steps.out(main);
    assert.equal(world.pc, '0x20a in 7f00');
    const outer = new World().at(0x210);
    await outer.steps.out(main);
    assert.equal(outer.pc, '0x10a in 8000');
    const atEntry = new World().at(0x200, 1);
    await atEntry.steps.out(main);
    assert.equal(atEntry.pc, '0x10a in 8000');
  });

  it('steps into the function called last', async () => {
    const world = new World().at(0x110);
    const { result } = await world.steps.into(main, 'line');
    assert.equal(result.outcome, 'found');
    assert.equal(world.pc, '0x210 in 7f00');
  });

  it('steps into nothing where nothing was called', async () => {
    const world = new World().at(0x208);
    await world.steps.into(main, 'line');
    assert.equal(world.pc, '0x204 in 7e00');
  });

  it('goes one instruction back when asked for instructions', async () => {
    const world = new World().at(0x110);
    await world.steps.over(main, 'instruction');
    assert.equal(world.pc, '0x10c in 8000');
  });

  it('searches on when the frame cannot be told apart beforehand', async () => {
    const world = new World().at(0x210);
    const varying = { ...codes['0x200']!, depth: null };
    const answer = world.gdb.call.bind(world.gdb);
    world.gdb.call = async <T>(method: string, args?: Record<string, unknown>) => {
      const found = await answer<unknown>(method, args);
      if (method !== 'step_frames') return found as T;
      return (found as StepFrame[]).map((one) => (one.function === '0x200' ? { ...one, code: varying } : one)) as T;
    };
    await world.steps.over(main, 'line');
    assert.equal(world.pc, '0x208 in 7f00');
  });
});
