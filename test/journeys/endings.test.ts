/**
 * The ends of sessions that nobody asked for: whoever dies, and whatever is
 * being done at that moment, no process and no file is left, and whoever is
 * still there is told. (That nothing is left is looked at after every journey.)
 */
import assert from 'node:assert/strict';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { eventually, processesOf } from '../dsl/leftovers.js';

const pause_ms = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function gdbOf(s: Journey): number {
  const gdb = processesOf(s.client).find(({ executable }) => /\/gdb[^/]*$/.test(executable));
  assert.ok(gdb, 'gdb runs');
  return gdb.pid;
}

function runs(s: Journey, count = 1): boolean {
  return processesOf(s.client).filter(({ executable }) => executable === s.program.executable).length >= count;
}

interface Ending {
  name: string;
  bringAbout(s: Journey): void;
  adapterStays?: boolean;
}

const endings: Ending[] = [
  { name: 'the client goes', bringAbout: (s) => void s.client.child.stdin.end() },
  { name: 'the adapter is asked to end', bringAbout: (s) => void s.client.child.kill('SIGTERM') },
  { name: 'the adapter is killed', bringAbout: (s) => void s.client.child.kill('SIGKILL') },
  { name: 'gdb is killed', bringAbout: (s) => void process.kill(gdbOf(s), 'SIGKILL'), adapterStays: true },
];

interface Situation {
  name: string;
  program: string;
  options?: JourneyOptions;
  /** Resolves when it has come about. */
  arrive(s: Journey): Promise<void>;
}

const oneSecond: JourneyOptions = { launch: { args: ['1'] } };

const situations: Situation[] = [
  {
    name: 'a program that runs, with a child',
    program: 'family.c',
    arrive: async (s) => {
      await s.launch();
      await s.client.request('configurationDone');
      await s.client.outputHas('stdout', 'parent of one');
      assert.ok(runs(s, 2), 'parent and child run');
    },
  },
  {
    name: 'a search',
    program: 'longRun.c',
    options: oneSecond,
    arrive: async (s) => {
      await s.walk(`
        break done
        run             -> done
        clear done
      `);
      await s.client.request('reverseContinue', { threadId: s.threadId });
      await pause_ms(200);
    },
  },
  {
    name: 'a long evaluation',
    program: 'longRun.c',
    options: oneSecond,
    arrive: async (s) => {
      await s.walk(`
        break loop
        run             -> loop
      `);
      s.client.begin('evaluate', { expression: 'spin()', frameId: s.last?.stackFrame?.id, context: 'repl' });
      await pause_ms(300);
    },
  },
  {
    name: 'a long evaluation in the past',
    program: 'longRun.c',
    options: oneSecond,
    arrive: async (s) => {
      await s.walk(`
        break loop
        run             -> loop
        stepBack        -> first
      `);
      s.client.begin('evaluate', { expression: 'spin()', frameId: s.last?.stackFrame?.id, context: 'repl' });
      await pause_ms(300);
    },
  },
];

describe('the end of a session', () => {
  for (const { name: situation, program, options, arrive } of situations)
    for (const { name: ending, bringAbout, adapterStays } of endings)
      debugTest(`${ending} in the middle of ${situation}`, program, options ?? {}, async (s) => {
        await arrive(s);
        bringAbout(s);
        if (adapterStays) {
          await s.client.event('terminated');
          assert.match(s.client.output.important ?? '', /gdb is gone: it was ended by SIGKILL/);
          await eventually('the program is gone', () => !runs(s));
        } else {
          await s.client.exited;
        }
      });

  // Wherever in the launch it comes: while gdb starts, while the program is started, while they are connected.
  for (const { name: ending, bringAbout, adapterStays } of endings.filter((one) => !one.adapterStays))
    for (const delay_ms of [0, 50, 150, 300, 600])
      debugTest(`${ending} ${delay_ms} ms after launch was asked for`, 'busy.c', async (s) => {
        await s.client.request('initialize', { adapterID: 'chronofork' });
        s.client.begin('launch', { program: s.program.executable });
        await pause_ms(delay_ms);
        assert.ok(!adapterStays);
        bringAbout(s);
        await s.client.exited;
      });

  debugTest('gdb is killed while it is being started', 'busy.c', async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    const { answer } = s.client.begin('launch', { program: s.program.executable });
    await eventually('gdb runs', () => processesOf(s.client).some(({ executable }) => /\/gdb[^/]*$/.test(executable)));
    process.kill(gdbOf(s), 'SIGKILL');
    await assert.rejects(answer, /gdb is gone: it was ended by SIGKILL.*Start the debug session again/);
  });

  debugTest('no program follows the gdb that is started with the first request', 'busy.c', async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    await eventually('gdb runs', () => processesOf(s.client).some(({ executable }) => /\/gdb[^/]*$/.test(executable)));
    await s.client.request('disconnect');
    await s.client.exited;
  });
});
