/** Wishes that come faster than they are fulfilled. */
import assert from 'node:assert/strict';
import { SeekQueue, type SeekWish } from '../../../extension/timeline/seekQueue.js';

class Desk {
  readonly done: string[] = [];
  readonly late: (() => void)[] = [];
  now = 0;
  cancels = 0;
  private release: (() => void) | undefined;
  readonly queue = new SeekQueue<string>(
    ({ target }: SeekWish<string>) => {
      this.done.push(target);
      return new Promise((resolve) => (this.release = resolve));
    },
    () => this.cancels++,
    () => this.now,
    (action) => void this.late.push(action),
  );

  async arrive(): Promise<void> {
    this.release?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the queue of wishes to go somewhere', () => {
  it('carries out one at a time, and of those that came meanwhile the latest', async () => {
    const desk = new Desk();
    for (const target of ['a', 'b', 'c', 'd']) desk.queue.want({ target, passing: true });
    assert.deepEqual(desk.done, ['a']);
    await desk.arrive();
    assert.deepEqual(desk.done, ['a', 'd']);
    await desk.arrive();
    assert.equal(desk.queue.busy, false);
  });

  it('cancels one that takes long and is no longer wanted, once', () => {
    const desk = new Desk();
    desk.queue.want({ target: 'far', passing: true });
    desk.queue.want({ target: 'near', passing: false });
    assert.equal(desk.cancels, 0);
    desk.now = 1000;
    for (const action of desk.late) action();
    assert.equal(desk.cancels, 1);
    desk.queue.want({ target: 'nearer', passing: false });
    assert.equal(desk.cancels, 1);
  });

  it('never cancels what was meant to be gone to', () => {
    const desk = new Desk();
    desk.queue.want({ target: 'there', passing: false });
    desk.now = 1000;
    desk.queue.want({ target: 'on', passing: true });
    assert.equal(desk.cancels, 0);
  });

  it('goes on after a refusal', async () => {
    const done: string[] = [];
    const queue = new SeekQueue<string>(
      async ({ target }) => {
        done.push(target);
        throw new Error('no');
      },
      () => undefined,
    );
    queue.want({ target: 'a', passing: false });
    await new Promise((resolve) => setImmediate(resolve));
    queue.want({ target: 'b', passing: false });
    assert.deepEqual(done, ['a', 'b']);
  });
});
