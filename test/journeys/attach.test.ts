/** attach: programs that ran before, and run on afterwards. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { AdapterClient } from '../dsl/adapterClient.js';
import { ChildSessions } from '../dsl/childSessions.js';
import { debugTest, Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { writeElf32 } from '../dsl/elf32.js';
import { eventually } from '../dsl/leftovers.js';
import { asOrdinaryUser, isRoot, readableCopy } from '../dsl/ordinaryUser.js';

/** A program that was started by nobody of ours. */
class Running {
  output = '';
  readonly ended: Promise<number | string>;

  private constructor(readonly process: ChildProcess) {
    process.stdout!.on('data', (data: Buffer) => (this.output += data.toString()));
    this.ended = new Promise((resolve) => process.on('close', (code, signal) => resolve(signal ?? code ?? -1)));
  }

  static async start(program: string, args: string[], prefix: string[] = []): Promise<Running> {
    const [command = '', ...rest] = [...prefix, program, ...args];
    const running = new Running(spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] }));
    await eventually('it runs', () => running.output.includes('ready\n'));
    return running;
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** The process that traces it; 0: none. */
  get tracer(): number {
    const thread = statusOf(this.pid, 'TracerPid');
    return thread === 0 ? 0 : statusOf(thread, 'Tgid');
  }
}

function statusOf(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
}

const sumTo = (last: number): number => (last * (last + 1)) / 2;

/** A journey with a ticker of so many rounds, which is gone afterwards whatever becomes of the journey. */
function attachTest(
  name: string,
  rounds: number,
  options: JourneyOptions,
  body: (s: Journey, running: Running) => Promise<void>,
): void {
  debugTest(name, 'ticker.c', options, async (s) => {
    const running = await Running.start(s.program.executable, [String(rounds)]);
    try {
      await body(s, running);
    } finally {
      running.process.kill('SIGKILL');
    }
  });
}

describe('attach', () => {
  attachTest(
    'stops the program where it is; from there on it has a past; let go, it ends by itself',
    4000,
    {},
    async (s, running) => {
      await s.begin('attach', { pid: running.pid });
      await s.run();
      assert.deepEqual([s.last?.body.reason, s.last?.body.description], ['attach', 'Attached']);
      await s.breakAt('add');
      await s.step('continue');
      assert.equal(s.last?.text, 'add');
      const round = Number(await s.evaluate('round'));
      assert.equal(await s.evaluate('total'), String(sumTo(round - 1)));
      await s.walk(`
      next              -> added
      value total       -> ${sumTo(round)}
      continue          -> add
      value round       -> ${round + 1}
      reverseContinue   -> add
      value round       -> ${round}
      value total       -> ${sumTo(round - 1)}
      continue          -> add
      stepBack          -> call
      stepBack          -> loop
      stepBack          -> doze
      value total       -> ${sumTo(round)}
    `);
      await s.client.request('disconnect');
      assert.equal(running.tracer, 0);
      assert.equal(await running.ended, 3);
      assert.equal(running.output, `ready\ntotal ${sumTo(4000)}\n`);
    },
  );

  attachTest('lets it run on until a breakpoint when it shall not stop', 100_000, {}, async (s, running) => {
    await s.begin('attach', { processId: String(running.pid), stopOnEntry: false });
    await s.breakAt('doze', { condition: 'total % 7 == 3' });
    assert.equal((await s.run()).text, 'doze');
    assert.equal(Number(await s.evaluate('total')) % 7, 3);
    await s.client.request('disconnect', { terminateDebuggee: true });
    assert.equal(await running.ended, 'SIGKILL');
  });

  attachTest('walks to the program’s end and back', 4000, {}, async (s, running) => {
    await s.begin('attach', { pid: running.pid, stopOnEntry: false });
    await s.breakAt('say');
    await s.walk(`
      run               -> say
      value total       -> ${sumTo(4000)}
      continue          -> exit 3
      reverseContinue   -> say
      continue          -> exit 3
    `);
    await s.client.request('continue', { threadId: s.threadId });
    assert.equal((await s.client.event<DebugProtocol.ExitedEvent>('exited')).exitCode, 3);
    await s.client.event('terminated');
    assert.equal(await running.ended, 3);
    assert.equal(running.output, `ready\ntotal ${sumTo(4000)}\n`);
  });

  debugTest('takes over a program whose first thread has ended, and lets it go', 'headless.c', async (s) => {
    const running = await Running.start(s.program.executable, ['4000']);
    try {
      await eventually('its first thread has ended', () =>
        /^State:\s+Z/m.test(readFileSync(`/proc/${running.pid}/status`, 'latin1')),
      );
      await s.begin('attach', { pid: running.pid });
      await s.run();
      await s.breakAt('add');
      await s.step('continue');
      const round = Number(await s.evaluate('round'));
      await s.walk(`
        value total       -> ${sumTo(round - 1)}
        continue          -> add
        value total       -> ${sumTo(round)}
        reverseContinue   -> add
        value total       -> ${sumTo(round - 1)}
        continue          -> add
        stepBack          -> call
        stepBack          -> loop
        stepBack          -> doze
        value total       -> ${sumTo(round)}
      `);
      await s.client.request('disconnect');
      assert.equal(await running.ended, 3);
      assert.equal(running.output, `ready\ntotal ${sumTo(4000)}\n`);
    } finally {
      running.process.kill('SIGKILL');
    }
  });

  attachTest('may be done again', 100_000, {}, async (s, running) => {
    await s.begin('attach', { pid: running.pid });
    await s.run();
    await s.client.request('disconnect', { restart: true });
    const again = new Journey(new AdapterClient('attach again'), s.program, {});
    try {
      await again.begin('attach', { pid: running.pid });
      await again.run();
      await again.walk('break add');
      await again.walk('continue -> add');
      await again.client.request('disconnect');
    } finally {
      await again.client.close();
    }
    assert.equal(running.tracer, 0);
  });

  attachTest(
    'refuses a program that is being debugged, and leaves it to its debugger',
    100_000,
    {},
    async (s, running) => {
      await s.begin('attach', { pid: running.pid });
      await s.run();
      const second = new AdapterClient('second debugger');
      try {
        await second.request('initialize', { adapterID: 'chronofork' });
        const refused = await second.refusal('attach', { pid: running.pid });
        assert.match(refused.message, /debug/);
        assert.equal(running.tracer, s.client.child.pid);
      } finally {
        await second.close();
      }
      await s.walk('break add');
      await s.walk('continue -> add');
    },
  );

  for (const [how, result] of [
    ['fork', 6],
    ['vfork', 21],
    ['spawn', 15],
  ] as const)
    debugTest(
      `follows children that are begun by ${how} afterwards, and lets them go`,
      'children.c',
      { client: { supportsStartDebuggingRequest: true } },
      async (s) => {
        const running = await Running.start(s.program.executable, ['later', how]);
        const children = new ChildSessions(s);
        try {
          await s.begin('attach', { pid: running.pid, followChildren: true, stopOnEntry: false });
          await s.client.request('configurationDone');
          running.process.kill('SIGUSR1');
          const child = await children.next();
          await child.walk(`
            break sum
            run               -> sum
            stepBack          -> loop
            stepBack          -> add
            clear sum
          `);
          await child.client.request('disconnect', { terminateDebuggee: false });
          await s.client.request('disconnect');
          assert.equal(await running.ended, 0);
          assert.equal(running.output, `ready\n${how === 'spawn' ? 'spawned' : `${how}ed`}: ${result}\n`);
        } catch (error) {
          if (error instanceof Error) error.stack += `\n${children.report()}`;
          throw error;
        } finally {
          running.process.kill('SIGKILL');
          await children.close();
        }
      },
    );

  debugTest(
    'lets children run that nobody debugs',
    'children.c',
    { client: { supportsStartDebuggingRequest: true } },
    async (s) => {
      const running = await Running.start(s.program.executable, ['later', 'twice']);
      try {
        s.client.onReverseRequest = () => {
          throw new Error('no more windows');
        };
        await s.begin('attach', { pid: running.pid, followChildren: true, stopOnEntry: false });
        await s.client.request('configurationDone');
        running.process.kill('SIGUSR1');
        await s.stopped();
        assert.equal(s.last?.text, 'exit 0');
        assert.equal(running.output, 'ready\nforked: 3\nforked: 10\n');
      } finally {
        running.process.kill('SIGKILL');
      }
    },
  );

  if (isRoot) {
    const command = asOrdinaryUser();
    const options: JourneyOptions = { command: () => command, env: { CHRONOFORK_LOG_FILE: '' } };

    debugTest('refuses another user’s program, in a sentence', 'ticker.c', options, async (s) => {
      const running = await Running.start(readableCopy(s.program.executable), ['100000']);
      try {
        await s.client.request('initialize', { adapterID: 'chronofork' });
        const refused = await s.client.refusal('attach', { pid: running.pid });
        assert.match(refused.message, /belongs to another user\. Attach as that user, or as root\./);
        assert.equal(running.tracer, 0);
      } finally {
        running.process.kill('SIGKILL');
      }
    });

    debugTest('works for an ordinary user', 'ticker.c', options, async (s) => {
      const asThatUser = command.slice(0, command.indexOf(process.execPath));
      const running = await Running.start(readableCopy(s.program.executable), ['100000'], asThatUser);
      try {
        await s.begin('attach', { pid: running.pid });
        await s.run();
        await s.breakAt('add');
        await s.walk(`
          continue          -> add
          stepBack          -> call
        `);
        await s.client.request('disconnect');
        assert.equal(running.tracer, 0);
      } finally {
        running.process.kill('SIGKILL');
      }
    });
  } else {
    it.skip('refuses another user’s program, in a sentence (only root can become another user)');
  }

  debugTest('refuses a 32-bit program, in a sentence, and leaves it as it was', 'ticker.c', async (s) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'));
    const narrow = path.join(folder, 'narrow');
    writeElf32(narrow);
    try {
      const running = await Running.start(narrow, []);
      try {
        await s.client.request('initialize', { adapterID: 'chronofork' });
        const refused = await s.client.refusal('attach', { pid: running.pid });
        assert.match(refused.message, /narrow \(\d+\).*not an x86-64 program\. Build it for 64-bit x86\./);
        assert.equal(running.tracer, 0);
        assert.match(readFileSync(`/proc/${running.pid}/status`, 'latin1'), /^State:\s+S/m);
      } finally {
        running.process.kill('SIGKILL');
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const refusals: [string, Record<string, unknown>, number, RegExp][] = [
    ['a process that is not there', { pid: 0x7ffffff0 }, 1009, /There is no process 2147483632\./],
    ['a thread of the kernel', { pid: 2 }, 1009, /is a thread of the kernel/],
    ['no process', {}, 1001, /"pid" is missing.*pickProcess/],
    ['a name', { pid: 'ticker' }, 1001, /"pid" must be the number of a process, but is "ticker"/],
    ['a program that is missing', { pid: process.pid, program: '/nowhere/at/all' }, 1002, /does not exist/],
  ];
  for (const [what, args, id, sentence] of refusals)
    debugTest(`refuses ${what}, in a sentence`, 'ticker.c', async (s) => {
      await s.client.request('initialize', { adapterID: 'chronofork' });
      const refused = await s.client.refusal('attach', args);
      assert.match(refused.message, sentence);
      assert.equal(refused.id, id);
    });
});
