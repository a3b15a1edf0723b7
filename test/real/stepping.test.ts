/**
 * Stepping through real programs, -O0 and -O2: fifty steps back from deep
 * inside return the way that was come, and fifty steps forwards lead to the
 * same places again; with the same local variables at each of them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { AdapterClient } from '../dsl/adapterClient.js';
import { freshRun, optimisations, type RealName, type RealProgram } from './realPrograms.js';
import { realProgramOrSkip } from './skipping.js';

const steps = 50;

/** Where to stop: the line that holds `text` in `file`, at its `hit`-th hit. */
interface DeepPlace {
  file: string;
  text: string;
  hit: number;
}

const deepPlaces: Record<RealName, DeepPlace> = {
  lua: { file: 'lvm.c', text: 'vmcase(OP_CALL) {', hit: 300 },
  sqlite3: { file: 'sqlite3.c', text: 'case OP_Column: {', hit: 400 },
  bzip2: { file: 'compress.c', text: 'll_i = s->unseqToSeq[block[j]];', hit: 500 },
};

interface State {
  place: string;
  locals: string[];
}

class SteppingSession {
  private threadId = 0;
  constructor(private readonly client: AdapterClient) {}

  async runTo(
    program: string,
    run: { args: string[]; stdin?: string; cwd: string },
    source: string,
    line: number,
    hit: number,
  ): Promise<void> {
    await this.client.request('initialize', { adapterID: 'chronofork', linesStartAt1: true, pathFormat: 'path' });
    await this.client.request('launch', { program, ...run });
    await this.client.event('initialized');
    await this.setBreakpoints(source, [{ line, hitCondition: String(hit) }]);
    await this.client.request('configurationDone');
    const stopped = await this.client.event<DebugProtocol.StoppedEvent>('stopped');
    assert.equal(stopped.reason, 'breakpoint', stopped.text ?? stopped.description);
    this.threadId = stopped.threadId!;
    await this.setBreakpoints(source, []);
  }

  async step(command: 'next' | 'stepBack'): Promise<State> {
    await this.client.request(command, { threadId: this.threadId });
    await this.client.event('stopped');
    return this.state();
  }

  async state(): Promise<State> {
    const { stackFrames } = await this.client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', {
      threadId: this.threadId,
      levels: 1,
    });
    const [frame] = stackFrames;
    const { scopes } = await this.client.request<DebugProtocol.ScopesResponse['body']>('scopes', {
      frameId: frame!.id,
    });
    const scope = scopes.find(({ presentationHint }) => presentationHint === 'locals');
    const { variables } = await this.client.request<DebugProtocol.VariablesResponse['body']>('variables', {
      variablesReference: scope!.variablesReference,
    });
    return {
      place: `${frame!.name}:${frame!.line} ${frame!.instructionPointerReference}`,
      locals: variables.map(({ name, value }) => `${name} = ${value}`),
    };
  }

  private async setBreakpoints(source: string, breakpoints: DebugProtocol.SourceBreakpoint[]): Promise<void> {
    await this.client.request('setBreakpoints', { source: { path: source }, breakpoints });
  }
}

/** Places side by side first: they say more than the variables. */
function assertSame(actual: State[], expected: State[], what: string): void {
  assert.deepEqual(
    actual.map(({ place }) => place),
    expected.map(({ place }) => place),
    what,
  );
  assert.deepEqual(actual, expected, what);
}

async function backAndForth(program: RealProgram): Promise<void> {
  const { name, optimisation } = program;
  const { file, text, hit } = deepPlaces[name];
  const source = path.join(program.sources, file);
  const line =
    readFileSync(source, 'utf8')
      .split('\n')
      .findIndex((one) => one.includes(text)) + 1;
  assert.ok(line > 0, `${file} has a line with ${text}`);
  const run = freshRun(name);
  const client = new AdapterClient(`${name}-${optimisation}`);
  const session = new SteppingSession(client);
  try {
    await session.runTo(program.executable, run, source, line, hit);
    const there = [await session.state()];
    for (let i = 0; i < steps; i++) there.push(await session.step('next'));
    const back = [there.at(-1)!];
    for (let i = 0; i < steps; i++) back.push(await session.step('stepBack'));
    assertSame(back, [...there].reverse(), 'stepping back');
    const again = [back.at(-1)!];
    for (let i = 0; i < steps; i++) again.push(await session.step('next'));
    assertSame(again, there, 'stepping forwards again');
  } catch (error) {
    if (error instanceof Error) error.stack += `\n${client.report()}`;
    throw error;
  } finally {
    await client.close();
    run.dispose();
  }
}

describe('stepping back through real programs', () => {
  for (const name of Object.keys(deepPlaces) as RealName[])
    for (const optimisation of optimisations)
      it(`${name} -${optimisation}: ${steps} steps back and ${steps} forwards`, async function () {
        this.timeout(180_000);
        await backAndForth(await realProgramOrSkip(this, name, optimisation));
      });
});
