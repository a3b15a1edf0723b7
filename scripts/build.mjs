/**
 * Builds what is run: the native core (make) and the JavaScript bundles
 * (esbuild).
 *
 *     native/**               ─make─▶     build/chronofork.node, build/native-tests
 *     extension/extension.ts  ─esbuild─▶  dist/extension.cjs   loaded by VS Code
 *     extension/history/historyClient.ts ─▶ dist/historyClient.cjs  loaded by that, with the first session
 *     debug-adapter/cli.ts    ─esbuild─▶  dist/cli.cjs         `chronofork …`
 *     media/timeline/main.ts  ─esbuild─▶  dist/timeline.js     the page of the Timeline view, and its timeline.css
 *
 *     node scripts/build.mjs [native] [bundles] [--watch]
 *
 * Easy to get wrong: VS Code loads an extension with require(), so the bundles
 * are CommonJS although the sources are ES modules. `import.meta.url` does not
 * exist there and is replaced by the bundle's own address: code that looks for
 * files beside itself must look from the package's root (the nearest folder
 * upwards that holds package.json), which is the same for both.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ScriptError, isMain, root, runMain, show } from './lib/run.mjs';
import { findCompiler } from './lib/requirements.mjs';

const importMetaUrl = "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;";

/** What is imported from a bundle but is one of its own, loaded when it is first needed. */
const apart = { './historyClient.js': './historyClient.cjs' };

/** @type {{ entry: string, outfile: string, external: string[], executable: boolean, page?: boolean }[]} */
const bundles = [
  { entry: 'extension/extension.ts', outfile: 'dist/extension.cjs', external: ['vscode'], executable: false },
  {
    entry: 'extension/history/historyClient.ts',
    outfile: 'dist/historyClient.cjs',
    external: ['vscode'],
    executable: false,
  },
  { entry: 'debug-adapter/cli.ts', outfile: 'dist/cli.cjs', external: [], executable: true },
  { entry: 'media/timeline/main.ts', outfile: 'dist/timeline.js', external: [], executable: false, page: true },
];

/**
 * @param {{ tests?: boolean, native?: boolean, bundles?: boolean, watch?: boolean }} [options]
 * @returns {Promise<void>}
 */
export async function build(options = {}) {
  if (options.native !== false) await buildNative(options.tests === false ? ['addon'] : ['addon', 'tests']);
  if (options.bundles !== false) await buildBundles(options);
}

/**
 * @param {string[]} targets of native/Makefile, and variables for it
 * @returns {Promise<void>}
 */
export async function buildNative(targets) {
  const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)));
  const compiler = findCompiler() ?? 'g++';
  const status = await show('make', [
    '-C',
    'native',
    '--no-print-directory',
    `-j${jobs}`,
    `CXX=${compiler}`,
    ...targets,
  ]);
  if (status !== 0) throw new ScriptError('The native core could not be built; the reason is above.');
}

/**
 * @param {{ watch?: boolean, outDir?: string, sourcemap?: boolean }} options
 * @returns {Promise<string[]>} all files that went into the bundles, from the root on
 */
export async function buildBundles(options = {}) {
  const missing = bundles.filter(({ entry }) => !existsSync(path.join(root, entry)));
  if (missing.length > 0) throw new ScriptError(`There is no ${missing.map(({ entry }) => entry).join(' and no ')}.`);
  const esbuild = await import('esbuild');
  /** @type {Set<string>} */
  const inputs = new Set();
  for (const { entry, outfile, external, executable, page } of bundles) {
    const target = path.join(root, options.outDir ?? '.', outfile);
    // The entry's own first line, if it has one, stays the first.
    const shebang =
      executable && !readFileSync(path.join(root, entry), 'utf8').startsWith('#!') ? '#!/usr/bin/env node\n' : '';
    /** @type {import('esbuild').BuildOptions} */
    const settings = {
      absWorkingDir: root,
      entryPoints: [entry],
      outfile: target,
      bundle: true,
      external: [...external, '*.node'],
      ...(page
        ? { platform: 'browser', target: 'chrome120', format: 'iife' }
        : {
            platform: 'node',
            target: 'node20',
            // A UMD build hides its parts from the bundler.
            mainFields: ['module', 'main'],
            format: 'cjs',
            // import() of a bundle becomes require(): VS Code gives `vscode` to that alone.
            supported: { 'dynamic-import': false },
            plugins: [bundlesApart],
            banner: { js: shebang + importMetaUrl },
            define: { 'import.meta.url': 'importMetaUrl' },
          }),
      sourcemap: options.sourcemap ?? true,
      metafile: true,
      logLevel: 'warning',
    };
    try {
      if (options.watch) await (await esbuild.context(settings)).watch();
      else for (const input of Object.keys((await esbuild.build(settings)).metafile?.inputs ?? {})) inputs.add(input);
    } catch {
      throw new ScriptError(`${entry} could not be bundled; the reason is above.`);
    }
    if (!options.watch && executable) chmodSync(target, 0o755);
  }
  if (options.watch) console.log('watching; end it with Ctrl+C');
  return [...inputs];
}

/** @type {import('esbuild').Plugin} */
const bundlesApart = {
  name: 'bundles apart',
  setup(building) {
    for (const [module, bundle] of Object.entries(apart)) {
      const filter = new RegExp(`^${module.replaceAll('.', '\\.')}$`);
      building.onResolve({ filter }, ({ kind }) =>
        kind === 'dynamic-import' ? { path: bundle, external: true } : undefined,
      );
    }
  },
};

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const args = process.argv.slice(2);
    const watch = args.includes('--watch');
    const parts = args.filter((arg) => !arg.startsWith('--'));
    await build({
      native: parts.length === 0 || parts.includes('native'),
      bundles: parts.length === 0 || parts.includes('bundles'),
      watch,
    });
  });
}
