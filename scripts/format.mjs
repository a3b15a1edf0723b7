/**
 * `npm run format`: formats TypeScript, JavaScript, JSON and C++ in place, as
 * `npm run check` wants them.
 *
 *     node scripts/format.mjs [FILE…]     these files only
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { ScriptError, isMain, root, runMain, show } from './lib/run.mjs';
import { findClangFormat } from './lib/requirements.mjs';
import { cppFiles } from './lib/sources.mjs';

/** @param {string[]} files */
async function main(files) {
  await bootstrap(['test'], { build: false });
  const missing = files.filter((file) => !existsSync(path.join(root, file)));
  if (missing.length > 0) throw new ScriptError(`There is no ${missing.join(', ')}.`);
  const cpp = files.length === 0 ? cppFiles() : files.filter((file) => /\.(cc|h)$/.test(file));
  const others = files.length === 0 ? ['.'] : files.filter((file) => !cpp.includes(file));
  const clangFormat = findClangFormat();
  let status = 0;
  if (others.length > 0) {
    status ||= await show('node_modules/.bin/prettier', ['--write', '--ignore-unknown', '--log-level=warn', ...others]);
  }
  if (cpp.length > 0) {
    if (!clangFormat) throw new ScriptError('C++ is formatted by clang-format 14, which is not installed.');
    status ||= await show(clangFormat, ['-i', ...cpp]);
  }
  return status;
}

if (isMain(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
