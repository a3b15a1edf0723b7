/**
 * A VS Code server of our own: fresh user data, fresh extensions, nothing but
 * loopback.
 *
 * Easy to get wrong:
 * - the smoke-test driver is needed for `extensionDevelopmentPath` and
 *   `extensionTestsPath` in the address; but with it notification toasts and
 *   dialogs are never shown, so journeys run without it;
 * - extension hosts of closed pages live on for hours without
 *   `--reconnection-grace-time`;
 * - a crash of the extension host looks like success (exit code 0 of the
 *   suite): look at the server's log, see `extensionHostCrashed`.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { browserExecutable, loadPlaywright, nodeOfServer, serverEntry } from './setup.mjs';

/** Nothing that asks, animates, updates, or covers what is tested. */
const settings = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.reduceMotion': 'on',
  'workbench.hover.delay': 100000,
  'update.mode': 'none',
  'telemetry.telemetryLevel': 'off',
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'editor.cursorBlinking': 'solid',
  'editor.minimap.enabled': false,
  'editor.hover.enabled': false,
  // On a canvas a test could not read what is printed.
  'terminal.integrated.gpuAcceleration': 'off',
  'debug.toolBarLocation': 'floating',
  'workbench.quickOpen.closeOnFocusLost': false,
  'files.autoSave': 'off',
  'window.confirmBeforeClose': 'never',
  'debug.confirmOnExit': 'never',
};

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {string} authority host and port
 * @property {boolean} smokeTest
 * @property {string} folder its user data, extensions and log; removed by `stop`
 * @property {() => string} log
 * @property {() => Promise<void>} stop
 */

/**
 * @param {{ vsix?: string, env?: NodeJS.ProcessEnv, settings?: object, smokeTest?: boolean }} options
 * @returns {Promise<Server>}
 */
export async function startServer(options) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chronofork-workbench-'));
  const userData = path.join(folder, 'user');
  mkdirSync(path.join(userData, 'User'), { recursive: true });
  writeFileSync(path.join(userData, 'User/settings.json'), JSON.stringify({ ...settings, ...options.settings }));
  const env = { ...cleanEnvironment(folder), ...options.env };
  const common = ['--user-data-dir', userData, '--extensions-dir', path.join(folder, 'extensions')];
  if (options.vsix) await runToEnd([...common, '--install-extension', options.vsix, '--force'], env);

  const authority = `127.0.0.1:${await freePort()}`;
  const logFile = path.join(folder, 'server.log');
  const log = openSync(logFile, 'a');
  const args = [
    serverEntry,
    ...common,
    ...['--auth', 'none', '--bind-addr', authority, '--disable-telemetry', '--disable-update-check'],
    ...['--disable-workspace-trust', '--disable-getting-started-override', '--reconnection-grace-time', '2'],
    ...(options.smokeTest ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
  ];
  const child = spawn(nodeOfServer, args, { env, stdio: ['ignore', log, log] });
  let exited = false;
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const exit = new Promise((resolve) => child.once('exit', resolve)).then(() => (exited = true));
  const server = {
    url: `http://${authority}`,
    authority,
    smokeTest: options.smokeTest ?? false,
    folder,
    log: () => readFileSync(logFile, 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 8000);
      await exit;
      clearTimeout(timer);
      process.off('exit', endWithUs);
      closeSync(log);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
    },
  };
  for (let tries = 0; !(await answers(`${server.url}/healthz`)); tries++) {
    if (exited || tries > 300) throw new Error(`VS Code's server did not start:\n${server.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return server;
}

/** @param {Server} server */
export function extensionHostCrashed(server) {
  return /Extension Host Process exited with code: (?!0, signal: null)/.test(server.log());
}

export async function launchBrowser() {
  const { chromium } = await loadPlaywright();
  const args = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  args.push('--disable-component-update', '--disable-sync', '--disable-dev-shm-usage');
  return chromium.launch({ executablePath: browserExecutable(), headless: true, args });
}

/**
 * A page of the browser that can reach nothing but this machine.
 * @param {import('playwright-core').Browser} browser
 */
export async function newPage(browser) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const outside = (/** @type {URL} */ url) => url.hostname !== '127.0.0.1' && /^https?:$/.test(url.protocol);
  await page.route(outside, (route) => route.abort());
  return page;
}

/**
 * The address of a workbench with a folder, or the folders of a `.code-workspace` file, open.
 * @param {Server} server
 * @param {string} opened
 * @param {[string, string][]} payload what `code` would take as arguments; only with the smoke-test driver
 */
export function workbenchUrl(server, opened, payload = []) {
  const all = JSON.stringify([...payload, ['skipWelcome', 'true']]);
  const kind = opened.endsWith('.code-workspace') ? 'workspace' : 'folder';
  return `${server.url}/?${kind}=${encodeURIComponent(opened)}&payload=${encodeURIComponent(all)}`;
}

/**
 * Ours, without what would tell VS Code that it runs inside VS Code, and with
 * no trace left in the user's home.
 * @param {string} folder
 */
function cleanEnvironment(folder) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$|PORT$)/.test(name));
  const xdg = path.join(folder, 'xdg');
  mkdirSync(xdg);
  return { ...Object.fromEntries(kept), XDG_CONFIG_HOME: xdg, XDG_DATA_HOME: xdg, XDG_CACHE_HOME: xdg };
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
async function runToEnd(args, env) {
  const child = spawn(nodeOfServer, [serverEntry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const status = await new Promise((resolve) => child.on('close', resolve));
  if (status !== 0) throw new Error(`code-server ${args.join(' ')} failed:\n${output}`);
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** @param {string} url @returns {Promise<boolean>} */
function answers(url) {
  return new Promise((resolve) => {
    const request = http.get(url, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
