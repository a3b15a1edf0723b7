/**
 * Checks the habits that no linter knows:
 *
 * - every source file opens with a comment that says its purpose;
 * - no source file is longer than 600 lines, unless listed below with a reason;
 * - names: camelCase.ts, snake_case.cc;
 * - no notes to self, no paths of the machine it was written on, and no
 *   registry's addresses in the lock file.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, root, runMain } from './lib/run.mjs';
import { sourceFiles } from './lib/sources.mjs';

// Above it one stops seeing what a file is about.
const lineLimit = 600;

/** Longer files, each with the reason. @type {Record<string, string>} */
export const longFiles = {};

/** Kinds of sources, and what opens their first comment. @type {{ extension: RegExp, opening: RegExp }[]} */
const kinds = [
  { extension: /\.(ts|mjs|cjs|js|css)$/, opening: /^(?:\/\*\*?|\/\/)/ },
  { extension: /\.(cc|cpp|h|c|rs)$/, opening: /^(?:\/\*\*?|\/\/)/ },
  { extension: /\.(py|sh|lua)$|(^|\/)Makefile$|^\.ci\/run$/, opening: /^(?:#|--|""")/ },
];

/** @type {{ pattern: RegExp, why: string }[]} */
const unwanted = [
  // Put together from pieces, so that this file passes its own check.
  { pattern: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`), why: 'a note to self' },
  { pattern: /(^|[\s"'`(=])\/(work|root|home\/\w+)\//, why: 'a path of one machine' },
];

/**
 * @param {string} file its path from the root on
 * @param {string} text
 * @returns {string[]} one line for each thing that is wrong
 */
export function findUntidy(file, text) {
  const kind = kinds.find(({ extension }) => extension.test(file));
  /** @type {string[]} */
  const wrong = [];
  if (file === 'package-lock.json' && text.includes('"resolved"')) {
    wrong.push(`${file}: names a registry; install with omit-lockfile-registry-resolved`);
  }
  if (!kind) return wrong;
  const body = text.replace(/^#!.*\n/, '').trimStart();
  const comment = openingComment(body);
  if (!kind.opening.test(body) || comment.length < 20) {
    wrong.push(`${file}: does not open with a comment that says its purpose`);
  }
  const lines = text.split('\n');
  if (lines.length - 1 > lineLimit && longFiles[file] === undefined) {
    wrong.push(`${file}: has ${lines.length - 1} lines; split it, or list it in scripts/tidy.mjs with the reason`);
  }
  lines.forEach((line, index) => {
    for (const { pattern, why } of unwanted) {
      if (pattern.test(line)) wrong.push(`${file}:${index + 1}: ${why}`);
    }
  });
  const name = path.basename(file);
  if (
    /^(extension|debug-adapter|language-server|test|bench)\/.*\.ts$/.test(file) &&
    !/^[a-z][A-Za-z0-9]*(\.test|\.d)?\.ts$/.test(name)
  ) {
    wrong.push(`${file}: TypeScript files are named in camelCase`);
  }
  if (/^(native|test\/native)\/.*\.(cc|h)$/.test(file) && !/^[a-z][a-z0-9_]*\.(cc|h)$/.test(name)) {
    wrong.push(`${file}: C++ files are named in snake_case`);
  }
  return wrong;
}

/**
 * The words of the first comment, without its marks.
 * @param {string} body
 */
function openingComment(body) {
  const block = /^\/\*([\s\S]*?)\*\//.exec(body)?.[1] ?? /^"""([\s\S]*?)"""/.exec(body)?.[1];
  const lines = block ?? /^(?:(?:\/\/|#|--).*\n?)+/.exec(body)?.[0] ?? '';
  return lines.replace(/^[\s/*#-]+/gm, '').trim();
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const files = sourceFiles();
    const wrong = files.flatMap((file) => {
      if (!kinds.some(({ extension }) => extension.test(file)) && file !== 'package-lock.json') return [];
      return findUntidy(file, readFileSync(path.join(root, file), 'utf8'));
    });
    for (const file of Object.keys(longFiles)) {
      if (!files.includes(file)) wrong.push(`scripts/tidy.mjs: ${file} is listed as long but does not exist`);
    }
    for (const line of wrong) console.error(line);
    return wrong.length > 0 ? 1 : 0;
  });
}
