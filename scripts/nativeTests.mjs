/**
 * Runs the core's tests, several at a time: most of them wait for a debuggee.
 *
 *     node scripts/nativeTests.mjs [setpriv … --] build/native-tests [doctest options]
 *
 * Each test case runs in a process of its own, the last ones first, as those of
 * the timeline take the longest. What one printed is shown in one piece, if it
 * failed or was skipped, and that of the failed ones once more at the end, where
 * whoever sees only the end of a log finds it. Ends with one line, `N passed, N
 * failed, N skipped`.
 *
 * Easy to get wrong: a process that crashed has printed no counts, and one that
 * was asked for a case that is not there passes with none: both are failures.
 */
import { spawn } from 'node:child_process';
import { parseDoctest } from './lib/counts.mjs';
import { ScriptError, capture, isMain, runMain } from './lib/run.mjs';

// On two processors: of the time of a test more than half is waiting.
const atOnce = 3;

// Of what a failed case printed, at the end: a doctest failure with its context.
const shownLines = 25;

/**
 * @param {string} program
 * @param {string[]} options
 * @returns {number} of test cases
 */
function countCases(program, options) {
  const { status, stdout, stderr } = capture(program, [...options, '--count', '--no-colors'], { cwd: process.cwd() });
  const count = /unskipped test cases passing the current filters: (\d+)/.exec(stdout)?.[1];
  if (status !== 0 || !count) throw new ScriptError(`${program} does not count its test cases. ${stderr}`);
  return Number(count);
}

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<{ output: string, status: number }>}
 */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (/** @type {string} */ text) => (output += text);
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => resolve({ output: String(error.message), status: 127 }));
    child.on('close', (code, signal) => resolve({ output, status: signal ? 128 : (code ?? 128) }));
  });
}

/**
 * @param {string[]} args
 * @returns {Promise<number>}
 */
async function main([program, ...options]) {
  if (!program) throw new ScriptError('What runs the tests is missing: build/native-tests.');
  const count = countCases(program, options);
  const total = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const failures = [];
  let next = count;
  const work = async () => {
    while (next > 0) {
      const index = next--;
      const began = Date.now();
      const which = [`--first=${index}`, `--last=${index}`, '--duration=true', '--no-colors'];
      const { output, status } = await run(program, [...options, ...which]);
      // doctest counts those that it could have run; of those that it has run it tells the time.
      const ran = [...output.matchAll(/^\d+\.\d+ s: (.*)$/gm)];
      const name = ran[0]?.[1] ?? 'unknown';
      const counts = parseDoctest(output);
      const failed = ran.length !== 1 || counts === undefined || counts.failed > 0 || status !== 0;
      const skipped = !failed && counts.skipped > 0;
      if (failed) total.failed++;
      else if (skipped) total.skipped++;
      else total.passed++;
      const said = output.replace(/^\[doctest\] (doctest version|run with).*\n/gm, '').trim();
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${failed ? 'FAILED' : skipped ? 'skipped' : 'passed'} ${seconds} s: ${name}`);
      if (failed || skipped) console.log(said);
      if (failed)
        failures.push(`FAILED: ${name} (exit status ${status})\n${said.split('\n').slice(-shownLines).join('\n')}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  for (const failure of failures) console.log(`\n${failure}`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total.failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
