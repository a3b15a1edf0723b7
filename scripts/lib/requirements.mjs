/**
 * What must be on the machine, and in which Debian package it comes. Each
 * requirement is found out by looking for the thing itself, not for the
 * package: who has built it by hand need not install it again.
 *
 * Easy to get wrong: clang-format must be version 14, because every version
 * formats a little differently; and Ubuntu's `chromium` package is an empty
 * shell that asks for a snap, so it is not installed from there.
 */
import { accessSync, constants, existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { capture } from './run.mjs';

/**
 * @typedef {'build' | 'run' | 'test'} Purpose
 * @typedef {object} Requirement
 * @property {string} what in a user's words
 * @property {string[]} packages Debian packages; the first that the archive has is taken
 * @property {Purpose} purpose
 * @property {() => boolean} present
 * @property {boolean} [optional] the tests that need it are skipped and counted without it
 */

/** @param {string} command */
export function findCommand(command) {
  for (const folder of (process.env.PATH ?? '/usr/bin:/bin').split(':')) {
    const file = path.join(folder, command);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** @param {string} command */
const hasCommand = (command) => findCommand(command) !== undefined;

/** The clang-format whose style is ours, or undefined. */
export function findClangFormat() {
  if (hasCommand('clang-format-14')) return 'clang-format-14';
  const version = capture('clang-format', ['--version']).stdout;
  return /version 14\./.test(version) ? 'clang-format' : undefined;
}

/** A g++ that knows C++20 well enough (12 or later), or undefined. */
export function findCompiler() {
  const candidates = [process.env.CXX, 'g++', 'g++-14', 'g++-13', 'g++-12'];
  return candidates.find((name) => {
    if (!name || !hasCommand(name)) return false;
    return parseInt(capture(name, ['-dumpversion']).stdout, 10) >= 12;
  });
}

/** A Chromium or Chrome for the workbench tests, or undefined. */
export function findBrowser() {
  const names = ['chromium', 'google-chrome-stable', 'google-chrome', 'chromium-browser'];
  const found = names.map(findCommand).filter((file) => file !== undefined);
  // Ubuntu's /usr/bin/chromium-browser is a script that only says "install the snap".
  return found.find((file) => !/snap install|requires the .* snap/.test(readFileSync(file, 'latin1').slice(0, 4000)));
}

/** @returns {boolean} */
function hasDebugSymbolsOfLibc() {
  const folder = '/usr/lib/debug/.build-id';
  return existsSync(folder) && readdirSync(folder).length > 0;
}

/** Debian, Ubuntu or what os-release says. */
export function distribution() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^ID=["']?([\w-]+)/m.exec(text)?.[1] ?? 'unknown';
}

/** @type {Requirement[]} */
export const requirements = [
  { what: 'a C++20 compiler', packages: ['g++', 'g++-12'], purpose: 'build', present: () => !!findCompiler() },
  { what: 'make', packages: ['make'], purpose: 'build', present: () => hasCommand('make') },
  {
    what: 'the decoder library Zydis',
    packages: ['libzydis-dev'],
    purpose: 'build',
    present: () => existsSync('/usr/include/Zydis/Zydis.h') || hasHeader('Zydis/Zydis.h'),
  },
  { what: 'gdb', packages: ['gdb'], purpose: 'run', present: () => hasCommand('gdb') },
  // The core's tests are linked by every build, so that `make tests` always means the same.
  {
    what: 'the C++ test framework doctest',
    packages: ['doctest-dev'],
    purpose: 'build',
    present: () => existsSync('/usr/include/doctest/doctest.h') || hasHeader('doctest/doctest.h'),
  },
  {
    what: "the C library's debug symbols",
    packages: ['libc6-dbg'],
    purpose: 'test',
    present: hasDebugSymbolsOfLibc,
  },
  {
    what: 'clang-format 14',
    packages: ['clang-format-14'],
    purpose: 'test',
    present: () => !!findClangFormat(),
    optional: true,
  },
  // Every instruction of these is moved by a test of the probes.
  {
    what: 'Lua 5.4',
    packages: ['lua5.4'],
    purpose: 'test',
    present: () => hasCommand('lua5.4'),
    optional: true,
  },
  {
    what: 'libcrypto',
    packages: ['libssl3', 'libssl3t64'],
    purpose: 'test',
    present: () => existsSync('/lib/x86_64-linux-gnu/libcrypto.so.3') || existsSync('/lib64/libcrypto.so.3'),
    optional: true,
  },
  { what: 'xz', packages: ['xz-utils'], purpose: 'test', present: () => hasCommand('xz') },
  { what: 'bzip2', packages: ['bzip2'], purpose: 'test', present: () => hasCommand('bzip2') },
  {
    what: "Tcl, which generates sqlite3's sources",
    packages: ['tcl'],
    purpose: 'test',
    present: () => hasCommand('tclsh'),
  },
  { what: 'Neovim', packages: ['neovim'], purpose: 'test', present: () => hasCommand('nvim'), optional: true },
  {
    what: "Emacs' dap-mode",
    packages: ['emacs-nox', 'elpa-dap-mode'],
    purpose: 'test',
    present: () => hasCommand('emacs') && existsSync('/usr/share/doc/elpa-dap-mode'),
    optional: true,
  },
  {
    what: 'Chromium',
    packages: distribution() === 'ubuntu' ? [] : ['chromium'],
    purpose: 'test',
    present: () => !!findBrowser(),
    optional: true,
  },
];

/**
 * Asks the compiler, for headers that are not in /usr/include.
 * @param {string} header
 */
function hasHeader(header) {
  const compiler = findCompiler();
  if (!compiler) return false;
  return capture('sh', ['-c', `echo '#include <${header}>' | ${compiler} -x c++ -E - -o /dev/null`]).status === 0;
}
