/**
 * Runs the suite in host/ inside VS Code's extension host, through
 * @vscode/test-electron: in our VS Code server, or in the desktop VS Code that
 * CHRONOFORK_TEST_VSCODE names.
 *
 * Passed is only what the suite itself has written into its result file: an
 * exit code of 0 proves nothing here.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTests } from '@vscode/test-electron';
import { buildHostSuite, buildScriptedAdapter, stageExtension } from './builds.mjs';
import { resultsFolder } from './journey.mjs';
import { Workspace } from './workspace.mjs';

/**
 * @typedef {object} HostTest
 * @property {string} title
 * @property {'passed' | 'failed' | 'pending'} state
 * @property {number} durationMs
 * @property {string} [error]
 */

/** @returns {Promise<{ tests: HostTest[], problem?: string }>} problem: why the suite as a whole did not end well */
export async function runHostSuite() {
  mkdirSync(resultsFolder, { recursive: true });
  const result = path.join(resultsFolder, 'hostSuite.json');
  rmSync(result, { force: true });
  const workspace = new Workspace(['account', 'crash']);
  let problem;
  try {
    await runTests({
      vscodeExecutablePath:
        process.env.CHRONOFORK_TEST_VSCODE ?? fileURLToPath(new URL('codeShim.mjs', import.meta.url)),
      extensionDevelopmentPath: await stageExtension(),
      extensionTestsPath: await buildHostSuite(),
      launchArgs: [workspace.folder],
      extensionTestsEnv: {
        CHRONOFORK_ADAPTER: await buildScriptedAdapter(),
        CHRONOFORK_TEST_RESULT: result,
        CHRONOFORK_TEST_WORKSPACE: workspace.folder,
      },
    });
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  } finally {
    workspace.remove();
  }
  /** @type {HostTest[]} */
  const tests = existsSync(result) ? JSON.parse(readFileSync(result, 'utf8')) : [];
  // The exit code of a suite with failures says no more than the failures do.
  if (tests.some((test) => test.state === 'failed')) problem = undefined;
  else if (tests.length === 0) problem ??= 'the suite left no result';
  return { tests, problem };
}
