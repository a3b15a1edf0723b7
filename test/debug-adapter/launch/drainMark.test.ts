/** A mark that tells when all that was written to a terminal has been read. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DrainMark } from '../../../debug-adapter/launch/drainMark.js';

describe('drainMark', () => {
  let folder: string;
  let file: string;
  let mark: DrainMark;

  // A file stands in for the terminal: what is written to it is fed to strip().
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'drain-'));
    file = path.join(folder, 'terminal');
    writeFileSync(file, '');
    mark = new DrainMark(file);
  });
  afterEach(() => {
    mark.close();
    rmSync(folder, { recursive: true });
  });

  it('has passed when it comes back, and is not shown, in whatever pieces it comes', async () => {
    for (const size of [1, 7, 1000]) {
      const passed = mark.passed();
      await new Promise((resolve) => setTimeout(resolve, 5));
      const written = Buffer.concat([Buffer.from('before\x1b_'), readFileSync(file), Buffer.from('after')]);
      writeFileSync(file, '');
      let shown = '';
      for (let at = 0; at < written.length; at += size)
        shown += mark.strip(written.subarray(at, at + size)).toString('latin1');
      await passed;
      assert.equal(shown, 'before\x1b_after');
      mark.close();
      mark = new DrainMark(file);
    }
  });

  it('does not hold back what only looks like it', () => {
    assert.equal(mark.strip(Buffer.from('\x1b_0123')).toString('latin1'), '\x1b_0123');
  });

  it('is given up when it does not come back', async () => {
    const begun = Date.now();
    await mark.passed();
    assert.ok(Date.now() - begun >= 900);
    await mark.passed();
    assert.ok(Date.now() - begun < 5000, 'and not waited for again');
  });
});
