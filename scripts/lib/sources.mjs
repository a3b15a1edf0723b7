/**
 * Which files are the project's own sources: what git knows or would add, so
 * that build output and third-party sources are never looked at.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ScriptError, capture, root } from './run.mjs';

/**
 * Paths below the root, sorted.
 * @param {(file: string) => boolean} [wanted]
 * @returns {string[]}
 */
export function sourceFiles(wanted = () => true) {
  // safe.directory: in a container the checkout often belongs to another user.
  const args = [
    '-c',
    'safe.directory=*',
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
    '--deduplicate',
  ];
  const listed = capture('git', args);
  if (listed.status !== 0) throw new ScriptError(`git cannot list the project's files: ${listed.stderr.trim()}`);
  const files = listed.stdout.split('\0').filter((file) => file !== '' && wanted(file));
  return files.filter((file) => existsSync(path.join(root, file))).sort();
}

/** The C++ that clang-format and the layer rules look at. */
export const cppFiles = () => sourceFiles((file) => /^(native|test\/native)\/.*\.(cc|h)$/.test(file));

/**
 * The project's files that fit one of the patterns: `**` stands for any
 * folders, `*` for any part of a name.
 * @param {string[]} patterns
 */
export function matchingFiles(patterns) {
  const expressions = patterns.map((pattern) => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    const text = escaped.replace(/\*\*\/|\*/g, (mark) => (mark === '*' ? '[^/]*' : '(?:.*/)?'));
    return new RegExp(`^${text}$`);
  });
  return sourceFiles((file) => expressions.some((expression) => expression.test(file)));
}
