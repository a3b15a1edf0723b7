/**
 * Makes a fresh clone ready: Debian packages, npm packages, the native core,
 * the bundles. `npm run demo`, `npm test` and the others call it first; by
 * itself it is `npm run bootstrap`.
 *
 *     1. Debian packages  apt-get, as root or by sudo without a prompt; otherwise
 *                         the exact line is printed, and that is the end
 *     2. npm packages     npm ci, if node_modules is not what the lock file says
 *     3. build            make and esbuild (build.mjs)
 *
 * Plain Node 20 without packages, because it runs before there are any. What
 * is in order already costs well under a second.
 *
 * Easy to get wrong: `npm ci` removes node_modules first, so it must not run
 * only because a file is newer; what is installed is compared with the lock
 * file, package by package.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, capture, isMain, root, runMain, show } from './lib/run.mjs';
import { distribution, requirements } from './lib/requirements.mjs';

/** @typedef {import('./lib/requirements.mjs').Purpose} Purpose */

/** @param {string} text */
const say = (text) => console.log(`bootstrap: ${text}`);

/**
 * @param {Purpose[]} purposes which requirements count
 * @param {{ build?: boolean }} [options] build: false leaves the build to the caller
 * @returns {Promise<void>}
 * @throws {ScriptError} with what the user has to do, when something cannot be installed
 */
export async function bootstrap(purposes, options = {}) {
  checkMachine();
  await installDebianPackages(purposes);
  await installNpmPackages();
  if (options.build === false) return;
  const { build } = await import('./build.mjs');
  await build({ tests: purposes.includes('test') });
}

function checkMachine() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new ScriptError(
      `Chronofork's scripts need Node 20.9 or later, and this is ${process.versions.node}.\n` +
        'Install a newer Node, for example from nodejs.org, and try again.',
    );
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new ScriptError(
      `Chronofork works on x86-64 Linux, and this is ${process.platform} on ${process.arch}.\n` +
        'Use an x86-64 Linux machine, container or WSL2.',
    );
  }
}

/** @param {Purpose[]} purposes */
async function installDebianPackages(purposes) {
  const wanted = requirements.filter((requirement) => purposes.includes(requirement.purpose));
  const missing = wanted.filter((requirement) => !requirement.present());
  if (missing.length === 0) {
    checkZydis();
    return;
  }
  say(`missing: ${missing.map((requirement) => requirement.what).join(', ')}`);
  const installable = missing.filter((requirement) => requirement.packages.length > 0);
  const without = missing.filter((requirement) => requirement.packages.length === 0);
  for (const { what } of without) say(`${what} is not in this system's archive; tests that need it are skipped`);

  if (installable.length > 0) await aptInstall(installable);
  const stillMissing = installable.filter((requirement) => !requirement.present());
  for (const { what } of stillMissing.filter((requirement) => requirement.optional)) {
    say(`${what} could not be installed; tests that need it are skipped`);
  }
  const fatal = stillMissing.filter((requirement) => !requirement.optional);
  if (fatal.length > 0) {
    throw new ScriptError(
      `Still missing after the installation: ${fatal.map((requirement) => requirement.what).join(', ')}.\n` +
        'Chronofork builds on Debian 12 and Ubuntu 24.04 or later.',
    );
  }
  checkZydis();
}

/** @param {import('./lib/requirements.mjs').Requirement[]} missing */
async function aptInstall(missing) {
  if (capture('apt-get', ['--version']).status !== 0) {
    throw new ScriptError(
      `There is no apt-get here (${distribution()}). Install these by hand and try again: ` +
        missing.map((requirement) => requirement.what).join(', '),
    );
  }
  const asRoot = process.getuid?.() === 0;
  const line = () => `apt-get install -y --no-install-recommends ${choosePackages(missing).join(' ')}`;
  if (!asRoot && capture('sudo', ['-n', 'true']).status !== 0) {
    throw new ScriptError(
      'These Debian packages are needed, and installing them needs root. Run this line, then try again:\n\n' +
        `    sudo apt-get update && sudo ${line()}\n`,
    );
  }
  if (!hasPackageLists() || choosePackages(missing).length < missing.length) {
    say('apt-get update');
    await privileged(['apt-get', '-q', 'update']);
  }
  const command = line().split(' ');
  say(`${asRoot ? '' : 'sudo '}${command.join(' ')}`);
  if ((await privileged([...command, '-q'])) !== 0) {
    // The lists may be older than the archive.
    say('that failed; once more after apt-get update');
    await privileged(['apt-get', '-q', 'update']);
    if ((await privileged([...line().split(' '), '-q'])) !== 0) {
      throw new ScriptError(
        `apt-get could not install the packages. Run this yourself to see why:\n\n    sudo ${line()}\n`,
      );
    }
  }
}

/** @param {string[]} command */
export function privileged(command) {
  const whole = ['env', 'DEBIAN_FRONTEND=noninteractive', ...command];
  if (process.getuid?.() !== 0) whole.unshift('sudo', '-n');
  return show(whole[0], whole.slice(1));
}

function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => name.includes('_Packages'));
  } catch {
    return false;
  }
}

/**
 * For each requirement the first package that the archive has; optional ones
 * that it does not have are left out.
 * @param {import('./lib/requirements.mjs').Requirement[]} missing
 */
function choosePackages(missing) {
  if (!hasPackageLists()) return missing.map(({ packages }) => packages[0]);
  const chosen = [];
  for (const { packages, optional } of missing) {
    const known = packages.find((name) =>
      /Candidate: (?!\(none\))/.test(capture('apt-cache', ['policy', name]).stdout),
    );
    if (known ?? !optional) chosen.push(known ?? packages[0]);
  }
  return chosen;
}

/** Zydis 3 lacks the encoder; it is what Debian 11 and Ubuntu 22.04 have. */
function checkZydis() {
  const header = '/usr/include/Zydis/Zydis.h';
  if (!existsSync(header)) return;
  const version = /define ZYDIS_VERSION\s+\(ZyanU64\)0x([0-9a-fA-F]{4})/.exec(readFileSync(header, 'utf8'));
  if (version && parseInt(version[1], 16) < 4) {
    throw new ScriptError(
      `The library Zydis here is version ${parseInt(version[1], 16)}, and Chronofork needs 4.\n` +
        'It is in Debian 12 and Ubuntu 24.04 or later.',
    );
  }
}

async function installNpmPackages() {
  const reason = npmPackagesDiffer();
  if (reason === undefined) return;
  say(`npm ci (${reason})`);
  // No package needs its install script: esbuild finds its binary without it.
  const status = await show('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status !== 0) {
    throw new ScriptError('npm ci failed. It needs the npm registry; check the network and try again.');
  }
}

/**
 * Why node_modules is not what package-lock.json says; undefined if it is.
 * @returns {string | undefined}
 */
function npmPackagesDiffer() {
  const installedFile = path.join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'nothing is installed yet';
  const locked = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  for (const [folder, { version, optional }] of Object.entries(locked)) {
    if (folder === '') continue;
    const have = installed[folder]?.version;
    if (have === undefined && optional) continue;
    if (have !== version) return `${folder.replace(/^.*node_modules\//, '')} ${version} is missing`;
  }
  return undefined;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await bootstrap(['build', 'run', 'test']);
    say('ready');
  });
}
