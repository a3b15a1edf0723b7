/**
 * kill -9 at random moments, while the program is gone through back and forth:
 * of the program (its live process, a copy or a child), of gdb, of the adapter.
 * Nothing is left, and an adapter that lives still answers.
 *
 * CHRONOFORK_KILLS says how many: 200 take some five minutes.
 */
import assert from 'node:assert/strict';
import { RequestFailed } from '../dsl/adapterClient.js';
import { debugTest, type Journey } from '../dsl/debugTest.js';
import { processesOf, type LeftProcess } from '../dsl/leftovers.js';

const kills = Number(process.env.CHRONOFORK_KILLS ?? 12);
/** From launch on: gdb and the program start within the first third of it. */
const latest_ms = 1500;

/** Programs, and a place that they come to again and again. */
const programs = [
  ['longRun.c', 'loop'],
  ['threads.c', 'careful-loop'],
] as const;

const victims = ['the program', 'gdb', 'the adapter'] as const;
type Victim = (typeof victims)[number];

/** Numbers from 0 to 1 that look random, the same in every run: a failing round can be taken again. */
function* randomNumbers(seed: number): Generator<number, never> {
  // mulberry32, after mixing the seed: neighbours must not resemble each other.
  let state = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
  for (;;) {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    yield ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }
}

function choose(s: Journey, victim: Victim, random: number): LeftProcess | undefined {
  const isVictim = ({ pid, executable }: LeftProcess) =>
    victim === 'the adapter'
      ? pid === s.client.child.pid
      : victim === 'gdb'
        ? /\/gdb[^/]*$/.test(executable)
        : executable === s.program.executable;
  const candidates = processesOf(s.client).filter(isVictim);
  return candidates[Math.floor(random * candidates.length)];
}

/** Goes back and forth until something answers no more. */
async function wander(s: Journey, place: string, random: Generator<number, never>): Promise<void> {
  await s.breakAt(place);
  await s.launch();
  await s.client.request('configurationDone');
  for (;;) {
    await s.stopped();
    const steps = ['stepBack', 'reverseContinue', 'continue', 'next', 'stepIn'];
    await s.client.request(steps[Math.floor(random.next().value * steps.length)]!, { threadId: s.threadId });
  }
}

describe('kill -9 at a random moment', () => {
  for (let round = 0; round < kills; round++) {
    const victim = victims[round % victims.length]!;
    const random = randomNumbers(round);
    const after_ms = Math.round(random.next().value * latest_ms);
    const title = `round ${round}: ${victim}, after ${after_ms} ms`;
    const [program, place] = programs[round % programs.length]!;
    debugTest(title, program, { launch: { args: ['2'] } }, async (s) => {
      const wandering = wander(s, place, random).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, after_ms));
      const chosen = choose(s, victim, random.next().value);
      if (chosen) process.kill(chosen.pid, 'SIGKILL');
      if (chosen && victim === 'the adapter') {
        await s.client.exited;
      } else {
        // Whatever became of the session, it answers.
        const { answer } = s.client.begin('threads');
        const answered = await answer.then(
          () => true,
          (error: unknown) => error instanceof RequestFailed,
        );
        assert.ok(answered);
      }
      void wandering;
    });
  }
});
