/**
 * Fetches the source package of a Debian or Ubuntu package, without touching
 * the machine's own apt configuration and without being root:
 *
 *     node scripts/fetch-debian-source.mjs lua5.4 build/third-party
 *
 *     the machine's apt sources ──(deb → deb-src)──▶ INTO/.apt/sources.d
 *     apt-get update, source --download-only        ──▶ INTO/.apt/…  (checked by apt's signatures)
 *     upstream tarball, debian/ folder              ──▶ INTO/NAME/
 *
 * Only the upstream tarball and Debian's folder are unpacked: no patch is
 * applied unless asked for, and nothing of it is ever committed.
 *
 * Easy to get wrong: the address of an archive belongs to the machine (a
 * mirror, a proxy), so it is taken from there at run time and appears nowhere
 * in the repository.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { ScriptError, isMain, root, runMain } from './lib/run.mjs';

/** The sources cannot be had here (no apt, no network, unknown name): a reason to skip, not a bug. */
export class SourceUnavailable extends ScriptError {}

// A day: source packages of a release hardly change, and a list costs seconds to fetch.
const listAgeLimitMs = 24 * 3600 * 1000;

/** Fetches run one after the other: apt locks its lists. @type {Promise<unknown>} */
let queue = Promise.resolve();

/**
 * Unpacks the source package `name` into `intoDir/name` and returns that
 * folder. Costs nothing when it is there already; otherwise a few seconds and
 * the network.
 *
 * @param {string} name a source package, e.g. `lua5.4`
 * @param {string} intoDir made if missing; also holds the downloads, in `.apt`
 * @param {{ applyPatches?: boolean }} [options] applyPatches: apply Debian's own changes too (debian/patches/series)
 * @returns {Promise<string>} the folder with the upstream sources, and Debian's in `debian/`
 * @throws {SourceUnavailable} with the reason, when the sources cannot be had
 */
export function fetchDebianSource(name, intoDir, options = {}) {
  const result = queue.then(() => fetchNow(name, path.resolve(intoDir), options));
  queue = result.catch(() => undefined);
  return result;
}

/**
 * @param {string} name
 * @param {string} intoDir
 * @param {{ applyPatches?: boolean }} options
 */
async function fetchNow(name, intoDir, options) {
  if (!/^[a-z0-9][a-z0-9.+-]+$/.test(name)) throw new ScriptError(`"${name}" is not the name of a source package.`);
  const target = path.join(intoDir, name);
  const stamp = path.join(intoDir, `.${name}.${options.applyPatches ? 'patched' : 'upstream'}`);
  if (existsSync(stamp) && existsSync(target)) return target;

  const downloads = path.join(intoDir, '.apt', 'downloads', name);
  rmSync(downloads, { recursive: true, force: true });
  mkdirSync(downloads, { recursive: true });
  const aptOptions = prepareApt(path.join(intoDir, '.apt'));
  await updateLists(aptOptions, path.join(intoDir, '.apt'));
  const fetched = await run('apt-get', [...aptOptions, 'source', '--download-only', '--only-source', name], downloads);
  if (fetched.status !== 0) {
    throw new SourceUnavailable(`The source package ${name} cannot be fetched: ${lastLine(fetched.output)}`);
  }

  const unpacked = path.join(intoDir, `.${name}.unpacking`);
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  await unpack(downloads, unpacked, name);
  if (options.applyPatches) await applyPatches(unpacked);
  rmSync(target, { recursive: true, force: true });
  renameSync(unpacked, target);
  for (const kind of ['patched', 'upstream']) rmSync(path.join(intoDir, `.${name}.${kind}`), { force: true });
  writeFileSync(stamp, readdirSync(downloads).join('\n') + '\n');
  return target;
}

/**
 * Makes a private apt state with the machine's sources as deb-src lines.
 * @param {string} aptDir
 * @returns {string[]} the options that make apt-get use it
 */
function prepareApt(aptDir) {
  const parts = path.join(aptDir, 'sources.d');
  rmSync(parts, { recursive: true, force: true });
  for (const folder of ['sources.d', 'lists/partial', 'cache/archives/partial']) {
    mkdirSync(path.join(aptDir, folder), { recursive: true });
  }
  const files = ['/etc/apt/sources.list'];
  try {
    files.push(...readdirSync('/etc/apt/sources.list.d').map((file) => path.join('/etc/apt/sources.list.d', file)));
  } catch {
    // No such folder: then the one file is all there is.
  }
  let count = 0;
  for (const file of files.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name))) {
    const text = toSourceEntries(readFileSync(file, 'utf8'), file.endsWith('.sources'));
    if (text === '') continue;
    writeFileSync(path.join(parts, `${count++}-${path.basename(file)}`), text);
  }
  if (count === 0) throw new SourceUnavailable('This machine has no apt sources to fetch source packages from.');
  return [
    '-q',
    `-oDir::Etc::sourcelist=/dev/null`,
    `-oDir::Etc::sourceparts=${parts}`,
    `-oDir::State::lists=${path.join(aptDir, 'lists')}`,
    `-oDir::Cache=${path.join(aptDir, 'cache')}`,
    // Without it root's apt changes to the user _apt, who may not write here.
    '-oAPT::Sandbox::User=',
    '-oAcquire::Retries=2',
  ];
}

/**
 * Turns entries for binary packages into entries for source packages; empty
 * when there are none.
 * @param {string} text
 * @param {boolean} isDeb822 the stanza format of `.sources` files
 */
export function toSourceEntries(text, isDeb822) {
  if (!isDeb822) {
    const lines = text.split('\n').filter((line) => /^\s*deb\s/.test(line));
    return lines.map((line) => line.replace(/^\s*deb\s/, 'deb-src ') + '\n').join('');
  }
  const stanzas = text.split(/\n\s*\n/).filter((stanza) => /^Types:.*\bdeb(\s|$)/m.test(stanza));
  return stanzas.map((stanza) => stanza.replace(/^Types:.*$/m, 'Types: deb-src').trim() + '\n').join('\n');
}

/**
 * @param {string[]} aptOptions
 * @param {string} aptDir
 */
async function updateLists(aptOptions, aptDir) {
  const stamp = path.join(aptDir, 'lists-updated');
  if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < listAgeLimitMs) return;
  const { status, output } = await run('apt-get', [...aptOptions, 'update'], aptDir);
  // An archive without sources (third parties often have none) fails the whole command although the
  // others were fetched; whether that is enough is seen when the package is asked for.
  const hasLists = readdirSync(path.join(aptDir, 'lists')).some((name) => /Sources/.test(name));
  if (!hasLists) throw new SourceUnavailable(`No list of source packages can be fetched: ${lastLine(output)}`);
  if (status === 0) writeFileSync(stamp, '');
}

/**
 * @param {string} downloads
 * @param {string} into
 * @param {string} name
 */
async function unpack(downloads, into, name) {
  const files = readdirSync(downloads);
  const upstream =
    files.find((file) => /\.orig\.tar\.\w+$/.test(file)) ??
    files.find((file) => /\.tar\.\w+$/.test(file) && !/\.debian\.tar\.|\.orig-/.test(file));
  if (!upstream) throw new SourceUnavailable(`The source package ${name} holds no upstream tarball.`);
  await must('tar', ['-xf', path.join(downloads, upstream), '-C', into, '--strip-components=1'], into);
  const debian = files.find((file) => /\.debian\.tar\.\w+$/.test(file));
  if (debian) await must('tar', ['-xf', path.join(downloads, debian), '-C', into], into);
}

/** @param {string} folder */
async function applyPatches(folder) {
  const series = path.join(folder, 'debian/patches/series');
  if (!existsSync(series)) return;
  const names = readFileSync(series, 'utf8').split('\n');
  for (const line of names) {
    const patch = line.replace(/#.*/, '').trim().split(/\s/)[0];
    if (patch) await must('git', ['apply', '-p1', path.join(folder, 'debian/patches', patch)], folder, true);
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {boolean} [outsideGit] git must not take our own repository for the one to patch
 */
async function must(command, args, cwd, outsideGit = false) {
  const { status, output } = await run(command, args, cwd, outsideGit ? { GIT_DIR: '/dev/null' } : {});
  if (status !== 0) throw new SourceUnavailable(`${command} ${args.join(' ')} failed: ${lastLine(output)}`);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {Record<string, string>} [extraEnv]
 * @returns {Promise<{ status: number, output: string }>}
 */
function run(command, args, cwd, extraEnv = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...extraEnv },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ status: 127, output: error.message }));
    child.on('close', (code) => resolve({ status: code ?? 128, output }));
  });
}

/** @param {string} output */
function lastLine(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return (lines.filter((line) => /^E: /.test(line)).pop() ?? lines.pop() ?? 'no reason was given').trim();
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const [name, into = path.join(root, 'build/third-party')] = process.argv.slice(2);
    if (!name) throw new ScriptError('Usage: node scripts/fetch-debian-source.mjs NAME [FOLDER]');
    console.log(await fetchDebianSource(name, into));
  });
}
