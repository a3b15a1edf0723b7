/**
 * The workbench tests: a real VS Code in Chromium, with the packaged extension.
 *
 *     node test/workbench/run.mjs                    everything
 *       --adapter scripted|real                      every journey with that adapter, also where it is not meant for it
 *       --only TEXT                                  only journeys whose name contains TEXT; `host`: only that suite
 *       --theme NAME --pictures                      look at it: screenshots of every view
 *       --only "look of" --update-goldens            the pictures that later runs are compared with (looks.mjs)
 *
 * Three suites, each counted:
 * - journeys with the real adapter, from the VSIX of `npm run package`;
 * - journeys that are about the extension alone, with a scripted adapter; with
 *   `--adapter scripted` all of them, which tells an error of the extension
 *   from one of the layers below;
 * - a mocha suite inside the extension host.
 *
 * A journey that fails is walked once more. Where it is well then, it is passed
 * and said to be UNSTABLE, here and on the screen of `npm test`: what is not
 * ours (a browser, a server, two processors for all of it) loses a click now
 * and then, but each such line is a bug to be looked for. More than
 * `mostUnstable` in one run are failures.
 *
 * Without Chromium everything is skipped, and counted as skipped.
 */
import { existsSync, rmSync } from 'node:fs';
import { ScriptError, isMain, runMain } from '../../scripts/lib/run.mjs';
import { findBrowser } from '../../scripts/lib/requirements.mjs';
import { buildScriptedAdapter, findVsix } from './builds.mjs';
import { runHostSuite } from './hostSuite.mjs';
import { Skipped, resultsFolder, walkJourney } from './journey.mjs';
import { journeys as attach } from './journeys/attach.mjs';
import { journeys as history } from './journeys/history.mjs';
import { journeys as launch } from './journeys/launch.mjs';
import { journeys as looks } from './journeys/looks.mjs';
import { journeys as past } from './journeys/past.mjs';
import { journeys as readme } from './journeys/readme.mjs';
import { journeys as stepBack } from './journeys/stepBack.mjs';
import { journeys as timeline } from './journeys/timeline.mjs';
import { journeys as firstSteps } from './journeys/firstSteps.mjs';
import { journeys as moments } from './journeys/moments.mjs';
import { journeys as views } from './journeys/views.mjs';
import { extensionHostCrashed, launchBrowser, startServer } from './server.mjs';
import { setUpWorkbench } from './setup.mjs';

const allJourneys = [
  ...stepBack,
  ...views,
  ...moments,
  ...past,
  ...launch,
  ...attach,
  ...timeline,
  ...history,
  ...firstSteps,
  ...looks,
  ...readme,
];

const counts = { passed: 0, failed: 0, skipped: 0 };

/** What failed, and why: said once more at the end, which is all that `npm test` shows of a long log. @type {string[]} */
const failures = [];

/** What failed at first and not again. @type {string[]} */
const unstable = [];
const mostUnstable = 2;

/**
 * @param {string} name
 * @param {Error | undefined} error
 * @param {number} startedMs
 */
function report(name, error, startedMs) {
  if (error instanceof Skipped) {
    console.log(`skipped: ${name}: ${error.message}`);
    counts.skipped++;
    return;
  }
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(`${error ? 'FAILED' : 'ok    '}  ${name} (${seconds} s)`);
  if (error) {
    console.log(`        ${(error.stack ?? error.message).replace(/\n/g, '\n        ')}`);
    failures.push(`FAILED  ${name}: ${error.message}`);
  }
  counts[error ? 'failed' : 'passed']++;
}

/**
 * @param {string} name
 * @param {() => Promise<Error | undefined>} walk
 * @returns {Promise<Error | undefined>} why it failed: the first time, if it did again or there were too many
 */
async function stabilityOf(name, walk) {
  const first = await walk();
  if (first === undefined || first instanceof Skipped || unstable.length >= mostUnstable) return first;
  console.log(`again:  ${name}: ${first.stack ?? first.message}`);
  if ((await walk()) !== undefined) return first;
  unstable.push(`UNSTABLE ${name}: ${first.message.replace(/\s+/g, ' ')}`);
  return undefined;
}

/**
 * @param {'scripted' | 'real'} adapter
 * @param {import('./journey.mjs').JourneyDefinition[]} journeys
 * @param {{ pictures: boolean, theme?: string }} look
 */
async function walkAll(adapter, journeys, look) {
  console.log(`with the ${adapter} adapter:`);
  const server = await startServer({
    vsix: await findVsix(adapter),
    env: adapter === 'scripted' ? { CHRONOFORK_ADAPTER: await buildScriptedAdapter() } : {},
    settings: look.theme ? { 'workbench.colorTheme': look.theme } : {},
  });
  const browser = await launchBrowser();
  try {
    for (const journey of journeys) {
      const startedMs = Date.now();
      const walk = () => walkJourney(journey, { browser, server, adapter, pictures: look.pictures });
      report(journey.name, await stabilityOf(journey.name, walk), startedMs);
    }
    if (extensionHostCrashed(server)) report('the extension host stayed alive', new Error(server.log()), Date.now());
  } finally {
    await browser.close();
    await server.stop();
  }
}

async function reportHostSuite() {
  console.log('inside the extension host:');
  const startedMs = Date.now();
  const { tests, problem } = await runHostSuite();
  for (const test of tests) {
    if (test.state === 'pending') counts.skipped++;
    else report(test.title, test.error === undefined ? undefined : new Error(test.error), Date.now() - test.durationMs);
  }
  if (problem !== undefined) report('the suite ends well', new Error(problem), startedMs);
}

/** @param {string} name */
function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

/**
 * @param {import('./journey.mjs').JourneyDefinition} journey
 * @param {string | undefined} forced
 */
function adapterFor({ adapter }, forced) {
  if (forced === undefined) return adapter ?? 'real';
  // What needs the real adapter is not walked with the other one.
  return forced === 'scripted' && adapter === 'real' ? undefined : forced;
}

/**
 * @param {import('./journey.mjs').JourneyDefinition} journey
 * @param {string} only
 */
function leftOut({ name, skipped }, only) {
  if (skipped === undefined || only !== '') return false;
  console.log(`skipped: ${name}: ${skipped}`);
  counts.skipped++;
  return true;
}

async function main() {
  const only = option('only') ?? '';
  const journeys = allJourneys.filter(({ name }) => name.includes(only));
  const forced = option('adapter');
  if (![undefined, 'real', 'scripted'].includes(forced)) throw new ScriptError('--adapter is scripted or real');
  rmSync(resultsFolder, { recursive: true, force: true });
  if (!process.env.CHROMIUM && !findBrowser()) {
    counts.skipped = journeys.length + 1;
    console.log('There is no Chromium here (apt-get install chromium): the workbench tests are skipped.');
  } else {
    setUpWorkbench();
    const look = { pictures: process.argv.includes('--pictures'), theme: option('theme') };
    for (const adapter of /** @type {const} */ (['scripted', 'real'])) {
      const chosen = journeys.filter((journey) => adapterFor(journey, forced) === adapter && !leftOut(journey, only));
      if (chosen.length > 0) await walkAll(adapter, chosen, look);
    }
    if (only === '' || only === 'host') {
      await reportHostSuite();
    }
  }
  for (const line of [...unstable, ...failures]) console.log(line);
  if (existsSync(resultsFolder) && counts.failed + unstable.length > 0)
    console.log(`pictures of what failed: ${resultsFolder}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 || counts.passed + counts.skipped === 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(main);
