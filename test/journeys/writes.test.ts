/** The first and the next write of a place, and what is said of a crash, a note and a branch's name. */
import assert from 'node:assert/strict';
import type { MomentState, Timeline, Written, WriteRow } from '../../debug-adapter/protocol/timeTravel.js';
import { debugTest, type Journey } from '../dsl/debugTest.js';

async function goTo(s: Journey, which: 'first' | 'next' | 'last', place: object): Promise<[string, Written]> {
  s.client.forget('stopped');
  const written = await s.client.request<Written>(`chronofork/${which}Write`, place);
  return [(await s.stopped()).text, written];
}

const here = (s: Journey, expression: string) => ({ expression, frameId: s.last?.stackFrame?.id });

describe('writes', () => {
  debugTest('of a global variable: the first, then each next one, then none', 'queries.c', async (s) => {
    await s.walk(`
      break found
      run               -> found
    `);
    const expected = await s.client.request<{ rows: WriteRow[] }>('chronofork/writes', { expression: 'total' });
    const values = expected.rows.map(({ oldValue, newValue }) => [oldValue, newValue]);
    const [place, first] = await goTo(s, 'first', { expression: 'total' });
    assert.equal(place, 'add');
    const seen = [[first.oldValue, first.newValue]];
    for (;;) {
      const [, next] = await goTo(s, 'next', { expression: 'total' });
      if (next.outcome !== 'found') {
        assert.match(next.message ?? '', /not written again/);
        break;
      }
      seen.push([next.oldValue, next.newValue]);
    }
    assert.deepEqual(seen, values);
    assert.equal(await s.evaluate('total'), values.at(-1)?.[0], 'it stays where it was');
    await s.walk('next              -> put');
  });

  debugTest(
    'a loop that writes elsewhere with the same instruction is not taken for the write',
    'queries.c',
    async (s) => {
      await s.walk(`
      break print
      run               -> print
    `);
      // values[i % 4] = total is one instruction for four places.
      const [place, first] = await goTo(s, 'first', here(s, 'values[2]'));
      assert.equal(place, 'start');
      const rounds: string[] = [];
      for (let round = 0; round < 3; round++) {
        const [at, next] = await goTo(s, 'next', { address: first.address, size: first.size });
        assert.equal(at, 'keep');
        rounds.push(await s.evaluate('i'));
        assert.equal(next.outcome, 'found');
      }
      assert.deepEqual(rounds, ['2', '6', '10']);
    },
  );

  debugTest('of a local variable: the first of this call, and a later one is told from it', 'bank.c', async (s) => {
    await s.walk(`
      break deposit-return
      run               -> deposit-return
      continue          -> deposit-return
      continue          -> deposit-return
    `);
    assert.equal(await s.evaluate('before'), '130');
    const [place, first] = await goTo(s, 'first', here(s, 'before'));
    assert.equal(place, 'deposit-first');
    assert.equal(await s.evaluate('amount'), '30');
    assert.deepEqual([first.newValue, first.message], ['130', undefined]);
    const [, next] = await goTo(s, 'next', here(s, 'before'));
    if (next.outcome === 'found') assert.match(next.message ?? '', /outside of the call of deposit/);
    else assert.match(next.message ?? '', /not written again/);
    const [, again] = await goTo(s, 'first', { expression: 'deposits' });
    assert.deepEqual([again.oldValue, again.newValue], ['0', '1']);
    const [, before] = await goTo(s, 'last', { expression: 'deposits' });
    assert.equal(before.outcome, 'begin');
  });

  debugTest('where the program is live nothing later is known', 'bank.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
    `);
    const [place, next] = await goTo(s, 'next', { expression: 'deposits' });
    assert.deepEqual([place, next.outcome], ['print', 'end']);
    assert.match(next.message ?? '', /has not happened/);
    await s.walk('next              -> flush');
  });

  debugTest('a write by the kernel is found as well', 'queries.c', async (s) => {
    await s.walk(`
      break found
      run               -> found
    `);
    const [, first] = await goTo(s, 'first', { expression: 'incoming' });
    assert.deepEqual([first.oldValue, first.newValue], ['0', '4711']);
    assert.equal(await s.evaluate('incoming'), '0');
    const [, next] = await goTo(s, 'next', { expression: 'incoming' });
    assert.equal(next.outcome, 'end');
  });
});

describe('a crash', () => {
  debugTest('is told with its place, the bad address and who holds it', 'crash.c', async (s) => {
    await s.walk('run               -> SIGSEGV at crash');
    const { crash, ended } = await s.client.request<Timeline>('chronofork/timeline');
    assert.equal(ended?.signal, 'SIGSEGV');
    assert.equal(crash?.signal, 'SIGSEGV');
    assert.equal(crash?.location.line, s.line('crash'));
    assert.match(crash?.description ?? '', /0x3ed0000/);
    assert.match(crash?.faultAddress ?? '', /^0x[0-9a-f]+$/);
    const [suspect] = crash?.suspects ?? [];
    assert.equal(suspect?.expression, 'record->target');
    const [place] = await goTo(s, 'last', { address: suspect?.address, size: suspect?.size });
    assert.equal(place, 'bad-write');
    // From the past it is still known.
    assert.ok((await s.client.request<Timeline>('chronofork/timeline')).crash);
  });

  debugTest('by a call of nothing, or an abort, has no suspects', 'bank.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
    `);
    assert.equal((await s.client.request<Timeline>('chronofork/timeline')).crash, undefined);
  });
});

describe('what a person writes', () => {
  debugTest('a note on a checkpoint and the name of a branch are kept', 'bank.c', async (s) => {
    await s.walk(`
      break print
      run               -> print
    `);
    const { checkpoint } = await s.client.request<{ checkpoint: { id: number } }>('chronofork/checkpoint', {
      action: 'create',
      name: 'here',
      pinned: true,
    });
    const { id } = checkpoint;
    await s.client.request('chronofork/checkpoint', { action: 'note', id, note: 'the balance is right' });
    await s.walk('stepBack          -> loop');
    await s.client.request('chronofork/branch', {});
    await s.client.request('chronofork/renameBranch', { id: 1, name: 'what if' });
    const { checkpoints, branches } = await s.client.request<Timeline>('chronofork/timeline');
    assert.equal(checkpoints.find((one) => one.id === id)?.note, 'the balance is right');
    assert.deepEqual(
      branches.map(({ name }) => name),
      [undefined, 'what if'],
    );
    await assert.rejects(s.client.request('chronofork/renameBranch', { id: 7, name: 'x' }), /no branch 7/);
    await assert.rejects(s.client.request('chronofork/checkpoint', { action: 'note', id: 999, note: 'x' }), /999/);
    await s.client.request('chronofork/checkpoint', { action: 'delete', id });
  });
});

describe('what the program looks like', () => {
  debugTest('at two moments, while the session stays where it is', 'bank.c', async (s) => {
    await s.walk(`
      break deposit-count
      run               -> deposit-count
    `);
    const first = await s.client.request<Timeline>('chronofork/timeline');
    await s.walk('continue          -> deposit-count');
    const second = await s.client.request<Timeline>('chronofork/timeline');
    const { states } = await s.client.request<{ states: MomentState[] }>('chronofork/states', {
      moments: [first.present.id, second.present.id],
    });
    const local = (state: MomentState | undefined, level: number, name: string) =>
      state?.frames[level]?.locals.find((one) => one.name === name)?.value;
    assert.deepEqual(
      states.map((state) => [local(state, 0, 'amount'), local(state, 0, 'before'), local(state, 1, 'i')]),
      [
        ['10', '100', '1'],
        ['20', '110', '2'],
      ],
    );
    assert.deepEqual(
      states.map(({ frames }) => frames.map((one) => one.function)),
      [
        ['deposit', 'main'],
        ['deposit', 'main'],
      ],
    );
    assert.equal(await s.evaluate('amount'), '20');
    const after = await s.client.request<Timeline>('chronofork/timeline');
    assert.deepEqual([after.live, after.present.id], [true, second.present.id]);
    await s.walk('continue          -> deposit-count');
    assert.equal(await s.evaluate('amount'), '30');
  });
});
