/**
 * Walks journeys: each in a fresh folder and a fresh page of one VS Code
 * server. When its window has been closed nothing of the debuggee may be left.
 * A journey that fails leaves a picture of what was to be seen under
 * test-results/workbench/.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';
import { Workbench } from './workbench.mjs';
import { Workspace } from './workspace.mjs';

export const resultsFolder = path.join(root, 'test-results/workbench');

/** Thrown by a journey that this machine cannot walk: counted as skipped. */
export class Skipped extends Error {}

/**
 * @typedef {object} JourneyDefinition
 * @property {string} name
 * @property {(string | import('./workspace.mjs').Build)[]} programs sources of programs/ that its folder holds, built
 * @property {string} [folderName] its folder's own name
 * @property {string} [open] what is opened, from the folder on: a `.code-workspace` file; absent: the folder itself
 * @property {'scripted' | 'real'} [adapter] `scripted`: it is about the extension alone; `real`: the scripted adapter
 *   cannot do it; absent: real, and scripted on demand
 * @property {string} [skipped] why it is not walked, but counted as skipped; walked all the same when --only names it
 * @property {(journey: Journey) => void} [prepare] changes the folder before it is opened
 * @property {(journey: Journey) => Promise<void>} walk
 *
 * @typedef {object} Journey
 * @property {Workbench} workbench
 * @property {Workspace} workspace
 * @property {(name: string, type?: 'png' | 'jpeg') => Promise<void>} picture keeps a screenshot, when pictures are wanted
 */

/**
 * @param {JourneyDefinition} definition
 * @param {{ browser: import('playwright-core').Browser, server: import('./server.mjs').Server, pictures: boolean, adapter: 'scripted' | 'real' }} surroundings
 * @returns {Promise<Error | undefined>} why it failed
 */
export async function walkJourney(definition, { browser, server, pictures, adapter }) {
  mkdirSync(resultsFolder, { recursive: true });
  const workspace = new Workspace(definition.programs, definition.folderName);
  /** @type {Workbench | undefined} */
  let workbench;
  let failure;
  try {
    const prepared = /** @type {Journey} */ ({ workspace });
    definition.prepare?.(prepared);
    workbench = await Workbench.open(browser, server, path.join(workspace.folder, definition.open ?? ''));
    const { page } = workbench;
    await definition.walk({
      workbench,
      workspace,
      async picture(name, type = 'png') {
        const quality = type === 'jpeg' ? { quality: 85 } : {};
        const file = path.join(resultsFolder, `${adapter}-${name}.${type}`);
        if (pictures) await page.screenshot({ path: file, type, ...quality });
      },
    });
  } catch (error) {
    if (!(error instanceof Skipped)) {
      const file = path.join(resultsFolder, `failed-${adapter}-${fileNameOf(definition.name)}.png`);
      await workbench?.page.screenshot({ path: file }).catch(() => undefined);
    }
    failure = error instanceof Error ? error : new Error(String(error));
  }
  await workbench?.page.close();
  const orphans = await workspace.endProcesses();
  workspace.remove();
  if (orphans.length > 0) failure ??= new Error(`the debuggee's processes outlived the window: ${orphans.join(', ')}`);
  return failure;
}

/** @param {string} name */
function fileNameOf(name) {
  return name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 60);
}
