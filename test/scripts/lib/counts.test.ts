/** A run must never look better than it was: crashed, empty and cut-off runs count as failures. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { judge, parseDoctest, parseMocha, parseSummary } from '../../../scripts/lib/counts.mjs';

describe('counts of a suite', () => {
  it('reads doctest, and takes out the tests that said they were skipped', () => {
    const output =
      'skipped: no userfaultfd here\n/a/x_test.cc:7: MESSAGE: skipped: no AVX here\n[doctest] test cases:  10 |   9 passed |  1 failed | 0 skipped\n';
    deepEqual(parseDoctest(output), { passed: 7, failed: 1, skipped: 2 });
  });

  it('reads doctest with colours', () => {
    const output =
      '\x1b[0;36m[doctest] \x1b[0mtest cases: \x1b[0m 2 | \x1b[0;32m2 passed\x1b[0m | \x1b[0m0 failed\x1b[0m |';
    deepEqual(parseDoctest(output), { passed: 2, failed: 0, skipped: 0 });
  });

  it('reads mocha, and does not take a test for the summary', () => {
    const output = '  ✔ says "  7 passing (1s)" in its name\n\n  12 passing (3s)\n  1 pending\n  2 failing\n\n  1) x\n';
    deepEqual(parseMocha(output), { passed: 12, failed: 2, skipped: 1 });
  });

  it('reads the last summary line of our own runners', () => {
    deepEqual(parseSummary('1 passed, 0 failed, 0 skipped\n3 passed, 1 failed, 2 skipped\n'), {
      passed: 3,
      failed: 1,
      skipped: 2,
    });
  });

  it('gives nothing for a run that was cut off', () => {
    equal(parseDoctest('TEST CASE: seek\n'), undefined);
    equal(parseMocha('  ✔ one\n'), undefined);
    equal(parseSummary('3 passed\n'), undefined);
  });
});

describe('the judgement of a suite', () => {
  it('is a failure without counts', () => {
    const result = judge(undefined, 139);
    deepEqual([result.passed, result.failed, result.skipped], [0, 1, 0]);
    match(result.problem ?? '', /139/);
  });

  it('is a failure when the runner failed although no test did', () => {
    equal(judge({ passed: 5, failed: 0, skipped: 0 }, 1).failed, 1);
  });

  it('is a failure when there was no test', () => {
    equal(judge({ passed: 0, failed: 0, skipped: 0 }, 0).failed, 1);
  });

  it('leaves honest counts alone', () => {
    deepEqual(judge({ passed: 5, failed: 2, skipped: 1 }, 2), { passed: 5, failed: 2, skipped: 1 });
    deepEqual(judge({ passed: 5, failed: 0, skipped: 1 }, 0), { passed: 5, failed: 0, skipped: 1 });
  });
});
