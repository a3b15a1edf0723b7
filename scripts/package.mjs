/**
 * `npm run package`: makes build/chronofork-linux-x64.vsix, and the same as an
 * npm package, build/chronofork-npm.tgz, which brings the command `chronofork`.
 * Both install and run without a compiler; that is tried out.
 *
 *     1. the addon, linked with a static Zydis, libstdc++ and libgcc, stripped
 *     2. the bundles
 *     3. a staging folder with exactly what the extension needs
 *     4. vsce, npm pack
 *     5. the finished files are installed elsewhere, and what they promise is checked
 *
 * Where Zydis's sources cannot be had, its shared library is put beside the
 * addon instead (found there by rpath), and that is said.
 *
 * Easy to get wrong: the addon of a developer's build (build/chronofork.node)
 * works here because the libraries are installed here. So the checks look at
 * what it is linked with, and load the packaged one.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { buildBundles, buildNative } from './build.mjs';
import { SourceUnavailable } from './fetch-debian-source.mjs';
import { thirdPartyNotices } from './lib/notices.mjs';
import { ScriptError, capture, isMain, root, runMain } from './lib/run.mjs';
import { matchingFiles } from './lib/sources.mjs';
import { staticZydis } from './lib/staticZydis.mjs';
import { unzip } from './lib/unzip.mjs';

const work = path.join(root, 'build/package');
const stage = path.join(work, 'stage');
const vsixFile = path.join(root, 'build/chronofork-linux-x64.vsix');
const npmFile = path.join(root, 'build/chronofork-npm.tgz');

// What every Linux with glibc has; anything else would have to come with us.
const glibcLibraries = /^(lib(c|m|dl|rt|pthread)\.so\.\d+|ld-linux-x86-64\.so\.2)$/;

/**
 * Builds the addon to be packaged.
 * @returns {Promise<{ libraries: string[], zydisLicense?: string }>} libraries: shared ones that go beside it
 */
async function buildAddon() {
  const target = path.join(work, 'chronofork.node');
  rmSync(target, { force: true });
  /** @type {string[]} */
  let libraries = [];
  let zydisLicense;
  try {
    const { archive, license } = await staticZydis();
    zydisLicense = license;
    await buildNative(['addon', `ADDON=${target}`, `ZYDIS=${archive}`, 'LDFLAGS=-Wl,--exclude-libs,ALL']);
  } catch (error) {
    if (!(error instanceof SourceUnavailable)) throw error;
    console.log(`${error.message}\nInstead of being linked in, libZydis and libZycore are put beside the addon.`);
    await buildNative(['addon', `ADDON=${target}`, "LDFLAGS=-Wl,-rpath,'$$ORIGIN'"]);
    const resolved = capture('ldd', [target]).stdout.matchAll(/lib(?:Zydis|Zycore)\S* => (\S+)/g);
    libraries = [...resolved].map(([, file]) => file);
  }
  const stripped = capture('strip', ['--strip-unneeded', target]);
  if (stripped.status !== 0) throw new ScriptError(`strip failed: ${stripped.stderr}`);
  return { libraries, zydisLicense };
}

/**
 * Puts together what the extension consists of.
 * @param {{ libraries: string[], zydisLicense?: string }} addon
 */
async function fillStage({ libraries, zydisLicense }) {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(path.join(stage, 'build'), { recursive: true });
  const inputs = await buildBundles({ outDir: path.relative(root, stage), sourcemap: false });
  copyFileSync(path.join(work, 'chronofork.node'), path.join(stage, 'build/chronofork.node'));
  for (const library of libraries) copyFileSync(library, path.join(stage, 'build', path.basename(library)));
  const parts = matchingFiles([
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'docs/**/*.md',
    'debug-adapter/**/*.py',
    'media/**/*',
    'examples/*.c',
    'l10n/**/*.json',
    'package.nls*.json',
  ]);
  // The page's sources are in its bundle.
  for (const file of parts.filter((name) => !name.startsWith('media/timeline/'))) {
    mkdirSync(path.dirname(path.join(stage, file)), { recursive: true });
    cpSync(path.join(root, file), path.join(stage, file));
  }
  writeFileSync(path.join(stage, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(inputs, zydisLicense));
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  // All that is used is bundled; and what only a checkout has must not be promised.
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'files']) delete manifest[key];
  writeFileSync(path.join(stage, 'package.json'), JSON.stringify(manifest, null, 2) + '\n');
}

function runVsce() {
  const args = ['package', '--target', 'linux-x64', '--no-dependencies', '--allow-missing-repository'];
  const vsce = path.join(root, 'node_modules/.bin/vsce');
  const made = capture(vsce, [...args, '--no-rewrite-relative-links', '--skip-license', '--out', vsixFile], {
    cwd: stage,
  });
  if (made.status !== 0) throw new ScriptError(`vsce failed:\n${made.stdout}${made.stderr}`);
}

function runNpmPack() {
  const made = capture('npm', ['pack', '--json', '--pack-destination', work], { cwd: stage });
  if (made.status !== 0) throw new ScriptError(`npm pack failed:\n${made.stderr}`);
  renameSync(path.join(work, JSON.parse(made.stdout)[0].filename), npmFile);
}

/**
 * What the two files promise, each tried on the finished file.
 * @returns {{ promise: string, broken?: string }[]}
 */
function tryOut() {
  const home = mkdtempSync(path.join(os.tmpdir(), 'chronofork-package-'));
  try {
    const names = unzip(vsixFile, home);
    const prefix = path.join(home, 'prefix');
    const install = ['install', '--global', '--offline', '--no-audit', '--no-fund', '--prefix', prefix, npmFile];
    const installed = capture('npm', install, { cwd: home });
    const extension = path.join(home, 'extension');
    const needed = [
      'package.json',
      'dist/extension.cjs',
      'dist/historyClient.cjs',
      'dist/cli.cjs',
      'dist/timeline.js',
      'dist/timeline.css',
      'build/chronofork.node',
      'THIRD-PARTY-NOTICES.txt',
    ];
    const absent = needed.filter((name) => !names.includes(`extension/${name}`));
    const surplus = names.filter((name) => /\/(node_modules|native|test|scripts)\/|\.ts$|\.map$/.test(name));
    return [
      {
        promise: 'holds what runs, and nothing else',
        broken: [...absent.map((name) => `no ${name}`), ...surplus].join(', '),
      },
      {
        promise: 'the addon needs nothing but glibc and what is beside it',
        broken: foreignLibraries(path.join(extension, 'build')),
      },
      {
        promise: 'the addon loads in Node',
        broken: failure([`require(${JSON.stringify(path.join(extension, 'build/chronofork.node'))})`], home),
      },
      {
        promise: 'the command line starts from it',
        broken: failure([path.join(extension, 'dist/cli.cjs'), '--version'], home),
      },
      {
        promise: 'the npm package installs without a network, and its command starts',
        broken:
          installed.status === 0 ? failure([path.join(prefix, 'bin/chronofork'), '--version'], home) : installed.stderr,
      },
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder with the addon, and libraries beside it
 * @returns {string} libraries that are neither glibc's nor there
 */
function foreignLibraries(folder) {
  const dynamic = capture('objdump', ['-p', path.join(folder, 'chronofork.node')]).stdout;
  const needed = [...dynamic.matchAll(/NEEDED\s+(\S+)/g)].map(([, name]) => name);
  if (needed.length === 0) return 'objdump shows no library at all';
  const versions = [...dynamic.matchAll(/GLIBC_(\d+\.\d+)/g)].map(([, version]) => version);
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).pop();
  console.log(`the addon needs ${needed.join(', ')}; glibc ${newest} or later`);
  return needed.filter((name) => !glibcLibraries.test(name) && !existsSync(path.join(folder, name))).join(', ');
}

/**
 * @param {string[]} args a file and its arguments, or one expression
 * @param {string} cwd
 * @returns {string} why it failed; empty if it did not
 */
function failure(args, cwd) {
  const run = capture(process.execPath, args.length === 1 ? ['-e', args[0]] : args, { cwd });
  return run.status === 0 ? '' : run.stderr.trim() || `exit status ${run.status}`;
}

async function main() {
  await bootstrap(['build'], { build: false });
  mkdirSync(work, { recursive: true });
  // A run that breaks must not leave the files of an earlier one behind.
  for (const file of [vsixFile, npmFile]) rmSync(file, { force: true });
  await fillStage(await buildAddon());
  runVsce();
  runNpmPack();
  const promises = tryOut();
  for (const { promise, broken } of promises)
    console.log(`${broken ? 'FAILED' : 'ok    '}  ${promise}${broken ? `: ${broken}` : ''}`);
  for (const file of [vsixFile, npmFile]) {
    console.log(`${path.relative(root, file)}: ${(statSync(file).size / 1e6).toFixed(2)} MB`);
  }
  const failed = promises.filter(({ broken }) => broken).length;
  console.log(`${promises.length - failed} passed, ${failed} failed, 0 skipped`);
  return failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(main);
