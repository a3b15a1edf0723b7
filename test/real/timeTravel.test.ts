/**
 * Going back in Lua, sqlite3 and bzip2 through the DAP: long ways back line by
 * line and forth again, to places passed ten thousand times, and to the last
 * write of a field on the heap. The truth is always what happens forwards.
 */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RealSession, type SourcePlace, type Stop } from './realSession.js';
import { optimisations, realNames, type RealName, type RealProgram } from './realPrograms.js';
import { realProgramOrSkip } from './skipping.js';

const stepCount = 50;
// Places are passed at least this many times before we look back at them.
const manyHits = 10_000;

interface Journey {
  rounds: number;
  /** Deep in the run: the how-manieth call of a function. */
  deep: { function: string; hit: number };
  /** The first stop of the steps, this many hits after the deep one or the start. */
  steps: { from: 'start' | 'deep'; place: SourcePlace; hit: number };
  /** A line passed thousands of times before the deep stop, and a value that is different each time. */
  often: { place: SourcePlace; value: string; earlier: (last: string) => string };
  /** An expression at the deep stop: a field in memory from malloc that every write changes. */
  heapField: string;
}

const journeys: Record<RealName, Journey> = {
  lua: {
    rounds: 4,
    deep: { function: 'luaB_print', hit: 3 },
    steps: {
      from: 'deep',
      place: { file: 'lvm.c', text: 'if ((newci = luaD_precall(L, ra, nresults)) == NULL)' },
      hit: 500,
    },
    often: {
      place: { file: 'lstrlib.c', text: 'int top = lua_gettop(L);' },
      // The second argument of string.format: the number of the string in the sorted list.
      value: '(L->ci->func + 2)->val.value_.i',
      earlier: (last) => String(Number(last) - manyHits + 1),
    },
    heapField: 'L->l_G->GCdebt',
  },
  sqlite3: {
    rounds: 1,
    deep: { function: 'sqlite3BtreeIntegrityCheck', hit: 1 },
    steps: {
      from: 'start',
      place: { file: 'sqlite3.c', text: 'rc = sqlite3BtreeInsert(pC->uc.pCursor, &x,' },
      hit: 3000,
    },
    often: {
      place: { file: 'sqlite3.c', text: 'switch( aiClass[*z] ){' },
      value: '*(int *)z',
      // The id of the first purchase, and the comma behind it.
      earlier: () => String(Buffer.from('500,').readInt32LE()),
    },
    heapField: 'db->aDb[0].pBt->pBt->pPager->aStat[0]',
  },
  bzip2: {
    rounds: 1,
    deep: { function: 'BZ2_compressBlock', hit: 4 },
    steps: { from: 'deep', place: { file: 'compress.c', text: 'll_i = s->unseqToSeq[block[j]];' }, hit: 500 },
    often: {
      place: { file: 'bzlib.c', text: 'ADD_CHAR_TO_BLOCK ( s, (UInt32)(*((UChar*)(s->strm->next_in))) );' },
      value: 's->strm->total_in_lo32',
      earlier: (last) => String(Number(last) - manyHits),
    },
    heapField: 's->nblock',
  },
};

async function toDeep(session: RealSession, { deep }: Journey): Promise<Stop> {
  await session.breakAtFunction(deep.function, { hitCondition: String(deep.hit) });
  const stop = await session.start();
  assert.equal(stop.frame.name, deep.function);
  // From now on every hit is meant.
  await session.breakAtFunction(deep.function);
  return stop;
}

/** What tells one moment from all others, as far as a user can see. */
async function here(session: RealSession, stop: Stop): Promise<unknown> {
  return { event: stop.moment.event, pc: stop.moment.pc, seen: await session.seen(stop) };
}

async function toFirstStep(session: RealSession, journey: Journey): Promise<Stop> {
  const { from, place, hit } = journey.steps;
  if (from === 'deep') {
    await toDeep(session, journey);
    await session.breakAtFunction(undefined);
  }
  await session.breakAtLine(place, { hitCondition: String(hit) });
  const stop = from === 'deep' ? await session.go('continue') : await session.start();
  assert.equal(stop.frame.line, session.line(place));
  await session.breakAtLine(place, undefined);
  return stop;
}

async function backAndForth(session: RealSession, journey: Journey): Promise<void> {
  const back = [await session.seen(await toFirstStep(session, journey))];
  for (let i = 0; i < stepCount; i++) {
    const stop = await session.seen(await session.go('stepBack'));
    assert.notEqual(stop, back[i], `step ${i + 1} back stayed where it was`);
    back.push(stop);
  }
  for (let i = stepCount; i > 0; i--) {
    const stop = await session.seen(await session.go('next'));
    assert.equal(stop, back[i - 1], `${stepCount - i + 1} steps forth from there, ${i - 1} steps back`);
  }
}

async function manyHitsBefore(session: RealSession, journey: Journey): Promise<void> {
  const { place, value, earlier } = journey.often;
  const deep = await toDeep(session, journey);
  const deepSeen = await here(session, deep);
  await session.breakAtLine(place, {});
  const last = await session.go('reverseContinue');
  assert.equal(last.reason, 'breakpoint');
  assert.ok(last.moment.event <= deep.moment.event);
  const lastValue = await session.value(value, last);
  const lastSeen = await here(session, last);

  const condition = `${value} == ${earlier(lastValue)}`;
  await session.breakAtLine(place, { condition });
  const early = await session.go('reverseContinue');
  assert.equal(early.reason, 'breakpoint');
  assert.equal(await session.value(value, early), earlier(lastValue));

  // Forwards from there to the last value, and hit by hit to the deep stop: one of the hits is the one we started from.
  await session.breakAtLine(place, { condition: `${value} == ${lastValue}` });
  let forth = await session.go('continue');
  assert.equal(await session.value(value, forth), lastValue);
  await session.breakAtLine(place, {});
  const hits = [];
  // Optimised, a line may begin at several places that are hit in turn.
  for (; forth.frame.name !== journey.deep.function && hits.length < 20; forth = await session.go('continue'))
    hits.push(await here(session, forth));
  assert.deepEqual(hits.at(-1), lastSeen);
  assert.deepEqual(await here(session, forth), deepSeen);
}

async function lastWriteOfHeapField(session: RealSession, journey: Journey): Promise<void> {
  const field = journey.heapField;
  const deep = await toDeep(session, journey);
  const deepSeen = await here(session, deep);
  const value = await session.value(field, deep);
  const asked = { name: field, frameId: deep.frame.id };
  const info = await session.client.request<DebugProtocol.DataBreakpointInfoResponse['body']>(
    'dataBreakpointInfo',
    asked,
  );
  assert.ok(info.dataId, info.description);
  session.client.forget('stopped');
  const write = await session.go('chronofork/lastWrite', { expression: field, frameId: deep.frame.id });
  assert.ok(write.moment.event <= deep.moment.event);

  // Forwards: the very next write gives it its value, and none follows before the deep stop.
  await session.client.request('setDataBreakpoints', {
    breakpoints: [{ dataId: info.dataId, accessType: 'write' }],
  });
  const written = await session.go('continue');
  assert.equal(written.reason, 'data breakpoint');
  const after = await session.go('continue');
  assert.deepEqual(await here(session, after), deepSeen);
  assert.equal(await session.value(field, after), value);
}

const tests: [string, (session: RealSession, journey: Journey) => Promise<void>][] = [
  [`${stepCount} steps back and ${stepCount} forth meet the same stops and locals`, backAndForth],
  [`reverse continue to lines hit ${manyHits} times before`, manyHitsBefore],
  ['the last write of a field on the heap', lastWriteOfHeapField],
];

describe('time travel in real programs', function () {
  this.timeout(180_000);
  for (const name of realNames) {
    for (const optimisation of optimisations) {
      describe(`${name} -${optimisation}`, function () {
        let program: RealProgram;
        before(async function () {
          this.timeout(300_000);
          program = await realProgramOrSkip(this, name, optimisation);
        });
        for (const [title, test] of tests) {
          it(title, async () => {
            const session = await RealSession.launch(program, title, journeys[name].rounds);
            try {
              await test(session, journeys[name]);
            } catch (error) {
              if (error instanceof Error) error.stack += `\n${session.client.report()}\n`;
              throw error;
            } finally {
              await session.close();
            }
          });
        }
      });
    }
  }
});
