/** Back and forward through the places one has been at. */
import assert from 'node:assert/strict';
import {
  VisitedPlaces,
  type Direction,
  type Going,
  type VisitedPlace,
} from '../../../extension/moments/visitedPlaces.js';

const place = (momentId: number): VisitedPlace => ({ momentId, timeMs: momentId, branch: 0 });

function visited(...moments: number[]): VisitedPlaces {
  const places = new VisitedPlaces(() => 5);
  for (const moment of moments) places.visit(place(moment));
  return places;
}

const shown = (places: VisitedPlaces): string =>
  places
    .list()
    .reverse()
    .map(({ place: { momentId }, here }) => (here ? `[${momentId}]` : `${momentId}`))
    .join(' ');

const there = async (): Promise<Going> => 'there';
const go = (places: VisitedPlaces, direction: Direction) => places.go(direction, there);

describe('visited places', () => {
  it('goes back and forward, and forgets what was ahead when another place is visited', async () => {
    const places = visited(1, 2, 3);
    assert.deepEqual(await go(places, 'back'), { arrived: true, forgotten: 0 });
    assert.equal(shown(places), '1 [2] 3');
    assert.deepEqual([places.can('back'), places.can('forward')], [true, true]);
    await go(places, 'forward');
    assert.equal(shown(places), '1 2 [3]');
    await go(places, 'back');
    places.visit(place(4));
    assert.equal(shown(places), '1 2 [4]');
    assert.equal(places.can('forward'), false);
  });

  it('counts the same place once, and not the stops on its own way', async () => {
    const places = visited(1, 2, 2);
    assert.equal(shown(places), '1 [2]');
    await places.go('back', async ({ momentId }) => {
      places.visit(place(momentId));
      return 'there';
    });
    assert.equal(shown(places), '[1] 2');
  });

  it('skips what is forgotten, and says how many', async () => {
    const places = visited(1, 2, 3, 4);
    const gone = new Set([2, 3]);
    const tried: number[] = [];
    const result = await places.go('back', async ({ momentId }) => {
      tried.push(momentId);
      return gone.has(momentId) ? 'forgotten' : 'there';
    });
    assert.deepEqual([result, tried], [{ arrived: true, forgotten: 2 }, [3, 2, 1]]);
    assert.equal(shown(places), '[1] 4');
    const none = visited(1, 2);
    assert.deepEqual(await none.go('back', async () => 'forgotten'), { arrived: false, forgotten: 1 });
    assert.equal(shown(none), '[2]');
    const ahead = visited(1, 2, 3);
    await go(ahead, 'back');
    await go(ahead, 'back');
    await ahead.go('forward', async ({ momentId }) => (momentId === 2 ? 'forgotten' : 'there'));
    assert.equal(shown(ahead), '1 [3]');
  });

  it('stays where it is when the way was cancelled', async () => {
    const places = visited(1, 2);
    assert.deepEqual(await places.go('back', async () => 'stayed'), { arrived: false, forgotten: 0 });
    assert.equal(shown(places), '1 [2]');
  });

  it('goes to one of the list, and keeps no more than it shall', async () => {
    const places = visited(1, 2, 3, 4, 5, 6, 7);
    assert.equal(shown(places), '3 4 5 6 [7]');
    const { place: third } = places.list()[2]!;
    assert.deepEqual(await places.goToPlace(third, there), { arrived: true, forgotten: 0 });
    assert.equal(shown(places), '3 4 [5] 6 7');
    assert.deepEqual(await places.goToPlace(places.list()[4]!.place, async () => 'forgotten'), {
      arrived: false,
      forgotten: 1,
    });
    assert.equal(shown(places), '4 [5] 6 7');
  });
});
