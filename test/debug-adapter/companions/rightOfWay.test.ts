/** The person goes first. */
import assert from 'node:assert/strict';
import { RightOfWay } from '../../../debug-adapter/companions/rightOfWay.js';

function later(): { done: Promise<void>; end: () => void } {
  let end: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (end = resolve));
  return { done, end };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('the right of way', () => {
  it('a request of the client begins at once when nobody is there', () => {
    let begun = false;
    void new RightOfWay(() => undefined).first(async () => void (begun = true));
    assert.ok(begun);
  });

  it('a companion’s question is cut short for it, and is over before it begins', async () => {
    const said: string[] = [];
    const question = later();
    const way = new RightOfWay(() => {
      said.push('cut short');
      question.end();
    });
    const asked = way.aside(async () => {
      await question.done;
      said.push('question over');
    });
    await soon();
    await way.first(async () => void said.push('request'));
    await asked;
    assert.deepEqual(said, ['cut short', 'question over', 'request']);
  });

  it('questions wait for requests and for each other; one that fails stops nobody', async () => {
    const said: string[] = [];
    const way = new RightOfWay(() => undefined);
    const request = later();
    const requested = way.first(() => request.done);
    const first = way.aside(() => Promise.reject(new Error('no'))).catch(() => void said.push('first'));
    const second = way.aside(async () => void said.push('second'));
    await soon();
    assert.deepEqual(said, []);
    request.end();
    await Promise.all([requested, first, second]);
    assert.deepEqual(said, ['first', 'second']);
  });
});
