/**
 * What the workbench tests run: the VSIX, the scripted adapter, the suite for
 * the extension host.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, capture, root, show } from '../../scripts/lib/run.mjs';

const folder = path.join(root, 'build/workbench');
const packagedVsix = path.join(root, 'build/chronofork-linux-x64.vsix');

/**
 * The packaged extension; for the scripted adapter one without adapter and
 * core, which is made in a second, will do.
 * @param {'scripted' | 'real'} adapter
 */
export async function findVsix(adapter) {
  if (adapter === 'scripted') return lightVsix();
  if (!existsSync(packagedVsix) && (await show(process.execPath, ['scripts/package.mjs'])) !== 0) {
    throw new ScriptError('The extension could not be packaged; the reason is above.');
  }
  return packagedVsix;
}

/** @returns {Promise<string>} */
export async function buildScriptedAdapter() {
  return bundle('test/extension/fake/fakeAdapter.ts', path.join(folder, 'fakeAdapter.cjs'), []);
}

/** @returns {Promise<string>} */
export async function buildHostSuite() {
  return bundle('test/workbench/host/index.ts', path.join(folder, 'hostSuite.cjs'), ['vscode', 'mocha']);
}

/** The extension alone, as a folder that VS Code can load for development. @returns {Promise<string>} */
export async function stageExtension() {
  const stage = path.join(folder, 'extension');
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  await bundle('extension/extension.ts', path.join(stage, 'dist/extension.cjs'), ['vscode']);
  // The command line is the language server too, and needs no core for that.
  cpSync(path.join(root, 'dist/cli.cjs'), path.join(stage, 'dist/cli.cjs'));
  cpSync(path.join(root, 'media'), path.join(stage, 'media'), { recursive: true });
  for (const name of ['l10n', 'examples', 'docs', 'package.nls.json', 'LICENSE'])
    if (existsSync(path.join(root, name))) cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'files', 'bin']) delete manifest[key];
  writeFileSync(path.join(stage, 'package.json'), JSON.stringify(manifest));
  return stage;
}

async function lightVsix() {
  const stage = await stageExtension();
  const file = path.join(folder, 'chronofork-light.vsix');
  const vsce = path.join(root, 'node_modules/.bin/vsce');
  const args = ['package', '--target', 'linux-x64', '--no-dependencies', '--allow-missing-repository', '--out', file];
  const packed = capture(vsce, args, { cwd: stage });
  if (packed.status !== 0) throw new ScriptError(`vsce failed:\n${packed.stdout}${packed.stderr}`);
  return file;
}

/**
 * @param {string} entry
 * @param {string} outfile
 * @param {string[]} external
 */
async function bundle(entry, outfile, external) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    mainFields: ['module', 'main'],
    external,
    logLevel: 'warning',
  });
  return outfile;
}
