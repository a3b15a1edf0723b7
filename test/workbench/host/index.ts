/**
 * The entry that VS Code calls inside the extension host: runs the suite with
 * mocha and writes each test's result into the file that
 * CHRONOFORK_TEST_RESULT names.
 */
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

interface Result {
  title: string;
  state: 'passed' | 'failed' | 'pending';
  durationMs: number;
  error?: string;
}

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 30_000, slow: 5000 });
  // Makes `describe` and `it` known; the suites are evaluated after that.
  mocha.suite.emit('pre-require', globalThis as unknown as Mocha.MochaGlobals, 'host', mocha);
  await import('./activation.js');
  await import('./sessions.js');
  await import('./keys.js');

  const results: Result[] = [];
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    const add = (test: Mocha.Test, state: Result['state'], error?: Error): void => {
      results.push({
        title: test.fullTitle(),
        state,
        durationMs: test.duration ?? 0,
        ...(error ? { error: error.stack ?? error.message } : {}),
      });
    };
    runner.on('pass', (test) => add(test, 'passed'));
    runner.on('pending', (test) => add(test, 'pending'));
    runner.on('fail', (test, error: Error) => add(test, 'failed', error));
  });
  const file = process.env.CHRONOFORK_TEST_RESULT;
  if (!file) throw new Error('CHRONOFORK_TEST_RESULT is not set');
  writeFileSync(file, JSON.stringify(results));
  if (failures > 0) throw new Error(`${failures} failed`);
}
