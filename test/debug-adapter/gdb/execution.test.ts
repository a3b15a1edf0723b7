/** Runs, silent interruptions and steps that are taken up again, with a gdb that only listens. */
import assert from 'node:assert/strict';
import { Execution, type Stop } from '../../../debug-adapter/gdb/execution.js';
import type { Gdb } from '../../../debug-adapter/gdb/miConnection.js';
import type { MiTuple } from '../../../debug-adapter/gdb/miParser.js';

const hit: MiTuple = { reason: 'breakpoint-hit', bkptno: '1' };
const interrupted: MiTuple = { reason: 'signal-received', 'signal-name': 'SIGINT' };
const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

class World {
  readonly said: string[] = [];
  level: number | null = 0;
  place = { file: 'a.c', line: 5 };
  onInterrupt: () => void = () => undefined;
  readonly gdb: Gdb = {
    command: async (command) => {
      this.said.push(command);
      if (command === '-exec-interrupt') this.onInterrupt();
      return {};
    },
    commandWithLog: async () => ({ fields: {}, log: '' }),
    console: async () => '',
    call: async <T>(method: string) => (method === 'level_of' ? { level: this.level } : this.place) as T,
  };
  readonly execution = new Execution(this.gdb);
  readonly unexpected: Stop[] = [];

  constructor() {
    this.execution.onUnexpectedStop = (stop) => this.unexpected.push(stop);
  }

  stop(fields: MiTuple): void {
    this.execution.onExec('stopped', fields);
  }
}

describe('execution', () => {
  it('resolves a run at its stop', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue');
    assert.equal(world.execution.running, true);
    world.stop(hit);
    assert.equal((await run).reason, 'breakpoint-hit');
    assert.equal(world.execution.running, false);
  });

  it('refuses to run twice', async () => {
    const world = new World();
    void world.execution.run('-exec-continue');
    await assert.rejects(world.execution.run('-exec-next'), /running already/);
  });

  it('stops silently for an action, and goes on', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue');
    world.onInterrupt = () => world.stop(interrupted);
    const result = await world.execution.whileStopped(async () => {
      world.said.push('action');
      return 7;
    });
    assert.equal(result, 7);
    await tick();
    assert.deepEqual(world.said, ['-exec-continue', '-exec-interrupt', 'action', '-exec-continue']);
    assert.equal(world.execution.running, true);
    world.stop(hit);
    assert.equal((await run).reason, 'breakpoint-hit');
  });

  it('reports a real stop that won the race, and resumes nothing', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue');
    world.onInterrupt = () => world.stop(hit);
    await world.execution.whileStopped(async () => undefined);
    assert.equal((await run).reason, 'breakpoint-hit');
    assert.deepEqual(world.said, ['-exec-continue', '-exec-interrupt']);
  });

  it('asks again when an interruption is lost', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue');
    let asked = 0;
    world.onInterrupt = () => {
      if (++asked === 2) world.stop(interrupted);
    };
    await world.execution.interrupt();
    assert.equal((await run).interrupted, true);
    assert.equal(asked, 2);
  });

  it('does a pause that was asked for meanwhile', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue');
    world.onInterrupt = () => world.stop(interrupted);
    await world.execution.whileStopped(async () => {
      await world.execution.interrupt();
    });
    const stop = await run;
    assert.equal(stop.interrupted, true);
    assert.equal(world.said.filter((one) => one === '-exec-continue').length, 1);
  });

  it('takes an interrupted step up by finishing what it had called', async () => {
    const world = new World();
    const run = world.execution.run('-exec-next', { tid: 1, cfa: '0x1', file: 'a.c', line: 5 });
    world.level = 2;
    world.onInterrupt = () => world.stop(interrupted);
    await world.execution.whileStopped(async () => undefined);
    assert.match(world.said.at(-1)!, /^-exec-finish .*--frame 1$/);
    world.stop({ reason: 'function-finished' });
    await tick();
    assert.equal(world.said.at(-1), '-exec-next', 'the line is still the same');
    world.stop({ reason: 'end-stepping-range' });
    assert.equal((await run).reason, 'end-stepping-range');
  });

  it('takes up a step that is in its own frame as it was', async () => {
    const world = new World();
    const run = world.execution.run('-exec-step', { tid: 1, cfa: '0x1', file: 'a.c', line: 5 });
    world.onInterrupt = () => world.stop(interrupted);
    await world.execution.whileStopped(async () => undefined);
    assert.equal(world.said.at(-1), '-exec-step');
    world.stop({ reason: 'end-stepping-range' });
    await run;
  });

  it('lets a jump in time end before an action', async () => {
    const world = new World();
    const run = world.execution.run('-exec-continue --reverse', undefined, false);
    let done = false;
    const action = world.execution.whileStopped(async () => void (done = true));
    await tick();
    assert.equal(done, false);
    world.stop({});
    await run;
    await action;
    assert.equal(done, true);
    assert.ok(!world.said.includes('-exec-interrupt'));
  });

  it('tells of stops that nobody waits for', () => {
    const world = new World();
    world.execution.onExec('running', {});
    assert.equal(world.execution.running, true);
    world.stop(hit);
    assert.equal(world.unexpected.length, 1);
    assert.equal(world.execution.running, false);
  });

  it('rejects when gdb refuses to resume, or dies', async () => {
    const world = new World();
    world.gdb.command = async () => {
      throw new Error('refused');
    };
    await assert.rejects(world.execution.run('-exec-finish'), /refused/);
    assert.equal(world.execution.running, false);
    const other = new World();
    const run = other.execution.run('-exec-continue');
    other.execution.abandon(new Error('gone'));
    await assert.rejects(run, /gone/);
  });
});
