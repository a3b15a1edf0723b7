/** The answer to "which program?" is remembered for the file, and for its neighbours where that makes sense. */
import assert from 'node:assert/strict';
import { RememberedPrograms, type Store } from '../../../extension/launch/rememberedPrograms.js';

class MemoryStore implements Store {
  private readonly values = new Map<string, string>();

  get<T>(key: string): T | undefined {
    const value = this.values.get(key);
    return value === undefined ? undefined : (JSON.parse(value) as T);
  }

  async update(key: string, value: unknown): Promise<void> {
    this.values.set(key, JSON.stringify(value));
  }
}

describe('remembered programs', () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore();
  });

  it('knows nothing at first', () => {
    assert.equal(new RememberedPrograms(store).recall('/a.c', false), undefined);
  });

  it('remembers for the file, in a later session too', async () => {
    await new RememberedPrograms(store).remember('/a.c', '/a');
    assert.equal(new RememberedPrograms(store).recall('/a.c', true), '/a');
  });

  it('serves the other files of a program, but not a file with a program of its own', async () => {
    const remembered = new RememberedPrograms(store);
    await remembered.remember('/src/main.c', '/build/tool');
    assert.equal(remembered.recall('/src/util.c', false), '/build/tool');
    assert.equal(remembered.recall('/src/example.c', true), undefined);
  });

  it('keeps the answers of 200 files, the latest', async () => {
    const remembered = new RememberedPrograms(store);
    for (let file = 0; file <= 200; file++) await remembered.remember(`/${file}.c`, `/program${file}`);
    assert.equal(remembered.recall('/0.c', true), undefined);
    assert.equal(remembered.recall('/1.c', true), '/program1');
    assert.equal(remembered.last, '/program200');
  });
});
