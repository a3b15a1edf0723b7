/**
 * Reads from a suite's output how many tests passed, failed and were skipped.
 *
 * Easy to get wrong: a runner that crashed has printed no counts, or those of
 * the part before the crash. So a parser gives undefined when the line that
 * ends a run is not there, and the caller calls that a failure.
 */

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * `[doctest] test cases: 10 | 9 passed | 1 failed | 2 skipped`. A test that
 * finds out that this machine lacks what it needs prints a line that begins
 * with `skipped: ` (or says so by MESSAGE) and returns; doctest counts it as
 * passed, we do not.
 * @param {string} output
 * @returns {Counts | undefined}
 */
export function parseDoctest(output) {
  const line = lastMatch(output, /\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|/g);
  if (!line) return undefined;
  const skipped = (output.match(/^(?:\S+ MESSAGE: )?skipped: /gm) ?? []).length;
  return { passed: Math.max(0, Number(line[1]) - skipped), failed: Number(line[2]), skipped };
}

/**
 * `  12 passing (3s)`, `  1 pending`, `  2 failing`, as mocha's spec reporter prints them.
 * @param {string} output
 * @returns {Counts | undefined}
 */
export function parseMocha(output) {
  const passing = lastMatch(output, /^ {2}(\d+) passing \(/gm);
  if (!passing) return undefined;
  const summary = output.slice(passing.index);
  return {
    passed: Number(passing[1]),
    failed: Number(/^ {2}(\d+) failing/m.exec(summary)?.[1] ?? 0),
    skipped: Number(/^ {2}(\d+) pending/m.exec(summary)?.[1] ?? 0),
  };
}

/**
 * `N passed, N failed, N skipped`, the line that our own runners end with.
 * @param {string} output
 * @returns {Counts | undefined}
 */
export function parseSummary(output) {
  const line = lastMatch(output, /^(\d+) passed, (\d+) failed, (\d+) skipped$/gm);
  return line && { passed: Number(line[1]), failed: Number(line[2]), skipped: Number(line[3]) };
}

/**
 * @param {string} text
 * @param {RegExp} pattern with the flag g
 */
function lastMatch(text, pattern) {
  // Colours would hide the beginning of a line.
  // eslint-disable-next-line no-control-regex
  return [...text.replace(/\x1b\[[0-9;]*m/g, '').matchAll(pattern)].pop();
}

/**
 * The result of a suite: what it counted, made honest by its exit status.
 * @param {Counts | undefined} counts
 * @param {number} status of the runner
 * @returns {Counts & { problem?: string }} problem: why it failed although no test did
 */
export function judge(counts, status) {
  if (!counts) return { passed: 0, failed: 1, skipped: 0, problem: `it ended without counts (exit status ${status})` };
  if (counts.failed === 0 && status !== 0) {
    return { ...counts, failed: 1, problem: `its runner failed (exit status ${status})` };
  }
  if (counts.passed + counts.failed + counts.skipped === 0)
    return { ...counts, failed: 1, problem: 'it holds no test' };
  return counts;
}
