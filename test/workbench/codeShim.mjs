#!/usr/bin/env node
/**
 * Stands in for the desktop `code` executable: takes the arguments that
 * @vscode/test-electron gives to it and runs the suite in our VS Code server
 * with Chromium. So the suite in host/ has two homes, this and a desktop.
 *
 * Exit code: the suite's; 2 when the extension host crashed, 3 when the suite
 * did not end.
 *
 * Easy to get wrong: an extension host that dies of a signal ends the suite
 * with code 0, so the server's log is looked at, during and after.
 */
import { format } from 'node:util';
import { extensionHostCrashed, launchBrowser, newPage, startServer, workbenchUrl } from './server.mjs';

/** 3 min: the suite takes some 15 s; this is for a machine under load. */
const limitMs = 180_000;
/** What VS Code itself has to say about a server without internet. */
const chatter =
  /color: #33f|open-vsx|reconnection-grace|AgentHost|AccountPolicy|socket|connection token|Service Worker|DialogService/;

/** @param {string} name */
function options(name) {
  const prefix = `--${name}=`;
  return process.argv
    .filter((argument) => argument.startsWith(prefix))
    .map((argument) => argument.slice(prefix.length));
}

async function main() {
  const [tests] = options('extensionTestsPath');
  const folder = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
  if (!tests || !folder) {
    console.error('This is not VS Code: it only runs a test suite in a folder.');
    return 2;
  }
  const passedOn = Object.entries(process.env).filter(([name]) => /^(CHRONOFORK|VSCODE_TEST)/.test(name));
  const server = await startServer({ smokeTest: true, env: Object.fromEntries(passedOn) });
  const browser = await launchBrowser();
  try {
    const remote = (/** @type {string} */ file) => `vscode-remote://${server.authority}${file}`;
    const page = await newPage(browser);
    const ended = new Promise((resolve) => {
      void page.exposeFunction('codeAutomationExit', resolve);
      page.on('crash', () => resolve(2));
      setTimeout(() => resolve(3), limitMs).unref();
      const watch = setInterval(() => extensionHostCrashed(server) && resolve(2), 500);
      watch.unref();
    });
    await page.exposeFunction('codeAutomationLog', (/** @type {string} */ _type, /** @type {unknown[]} */ args) => {
      const line = format(...args);
      if (!chatter.test(line)) console.log(line);
    });
    const developed = options('extensionDevelopmentPath').map(
      (extension) => /** @type {[string, string]} */ (['extensionDevelopmentPath', remote(extension)]),
    );
    await page.goto(workbenchUrl(server, folder, [...developed, ['extensionTestsPath', remote(tests)]]));
    const code = Number(await ended);
    return code === 0 && extensionHostCrashed(server) ? 2 : code;
  } finally {
    await browser.close();
    await server.stop();
  }
}

process.exit(await main());
