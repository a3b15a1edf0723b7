/**
 * Lua, the sqlite3 shell and bzip2, built from Debian's source packages, and
 * the work they are given: real input for verify, the debugger and the
 * benchmarks.
 *
 *     fetchDebianSource ──▶ build/third-party/NAME ──gcc──▶ build/real/NAME-O0
 *                                                           build/real/NAME-O2
 *
 * Everything is made once and kept under build/; nothing of it is committed.
 * They are built as Debian's upstreams are, but single-threaded and without
 * readline.
 *
 * Easy to get wrong: sqlite3 leaves its database behind, and bzip2 refuses to
 * write over its output, so every run gets a folder of its own (`freshRun`).
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { SourceUnavailable, fetchDebianSource } from '../../scripts/fetch-debian-source.mjs';
import { findCommand } from '../../scripts/lib/requirements.mjs';
import { root } from '../../scripts/lib/run.mjs';
import { randomText, shopStatements } from './generatedInput.js';

export type RealName = 'lua' | 'sqlite3' | 'bzip2';
export type Optimisation = 'O0' | 'O2';

export const realNames: readonly RealName[] = ['lua', 'sqlite3', 'bzip2'];
export const optimisations: readonly Optimisation[] = ['O0', 'O2'];

export interface RealProgram {
  readonly name: RealName;
  readonly optimisation: Optimisation;
  /** Absolute path of the executable. */
  readonly executable: string;
  /** The folder whose sources the debug information names. */
  readonly sources: string;
}

/** What a program is given to do: made anew for each run. */
export interface Run {
  readonly args: string[];
  /** A file for standard input; absent: none. */
  readonly stdin?: string;
  readonly cwd: string;
  /** Removes what the run has left behind. */
  dispose(): void;
}

const realFolder = path.join(root, 'build/real');
const sourcesFolder = path.join(root, 'build/third-party');
const workloads = path.join(root, 'test/real/workloads');

interface Recipe {
  package: string;
  /** The sources to compile, and where they are; may have to be generated first. */
  prepare(source: string): Promise<{ folder: string; files: string[] }>;
  flags: string[];
}

const cFiles = (folder: string, leftOut: string[]) =>
  readdirSync(folder).filter((file) => file.endsWith('.c') && !leftOut.includes(file));

const recipes: Record<RealName, Recipe> = {
  lua: {
    package: 'lua5.4',
    prepare: (source) => {
      const folder = path.join(source, 'src');
      return Promise.resolve({ folder, files: cFiles(folder, ['luac.c']) });
    },
    flags: ['-DLUA_USE_POSIX'],
  },
  sqlite3: {
    package: 'sqlite3',
    prepare: makeAmalgamation,
    flags: ['-DSQLITE_THREADSAFE=0', '-DSQLITE_OMIT_LOAD_EXTENSION'],
  },
  bzip2: {
    package: 'bzip2',
    prepare: (source) => {
      const others = ['bzip2recover.c', 'dlltest.c', 'mk251.c', 'spewG.c', 'unzcrash.c'];
      return Promise.resolve({ folder: source, files: cFiles(source, others) });
    },
    flags: ['-D_FILE_OFFSET_BITS=64'],
  },
};

const run = promisify(execFile);
const building = new Map<string, Promise<RealProgram>>();

/**
 * Builds the program, or finds it built. Costs up to a minute the first time.
 * @throws SourceUnavailable with the reason, when its sources cannot be had here
 */
export function realProgram(name: RealName, optimisation: Optimisation): Promise<RealProgram> {
  const key = `${name}-${optimisation}`;
  let made = building.get(key);
  if (!made) {
    made = build(name, optimisation, path.join(realFolder, key));
    building.set(key, made);
  }
  return made;
}

async function build(name: RealName, optimisation: Optimisation, executable: string): Promise<RealProgram> {
  const recipe = recipes[name];
  mkdirSync(realFolder, { recursive: true });
  const source = await fetchDebianSource(recipe.package, sourcesFolder);
  const { folder, files } = await recipe.prepare(source);
  const sources = files.map((file) => path.join(folder, file));
  const args = ['-g', `-${optimisation}`, ...recipe.flags, `-I${folder}`, ...sources, '-lm'];
  // What it was built from: built again when that changes, or the compiler does.
  const { stdout: compiler } = await run('gcc', ['-dumpfullversion']);
  const recipeText = JSON.stringify([compiler.trim(), readFileSync(sourceStamp(recipe.package), 'utf8'), ...args]);
  const stamp = `${executable}.recipe`;
  if (!existsSync(executable) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== recipeText) {
    const unfinished = `${executable}.${process.pid}`;
    await run('gcc', [...args, '-o', unfinished]);
    renameSync(unfinished, executable);
    writeFileSync(stamp, recipeText);
  }
  return { name, optimisation, executable, sources: folder };
}

/** Names the version of the sources. */
const sourceStamp = (packageName: string) => path.join(sourcesFolder, `.${packageName}.upstream`);

/** sqlite3.c, shell.c: the one big file that sqlite's own build makes out of its sources, with Tcl. */
async function makeAmalgamation(source: string): Promise<{ folder: string; files: string[] }> {
  const folder = path.join(realFolder, 'sqlite3-amalgamation');
  const made = { folder, files: ['sqlite3.c', 'shell.c'] };
  const stamp = path.join(folder, 'made-from');
  const version = readFileSync(sourceStamp('sqlite3'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === version) return made;
  if (!findCommand('tclsh')) {
    throw new SourceUnavailable("sqlite3's sources are generated by Tcl, which is not installed (Debian package tcl).");
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await run(path.join(source, 'configure'), ['--disable-tcl', '--disable-readline'], { cwd: folder });
  await run('make', ['sqlite3.c', 'shell.c'], { cwd: folder, maxBuffer: 1 << 26 });
  writeFileSync(stamp, version);
  return made;
}

// Enough for a few blocks of bzip2's, and for a database of some pages.
const textLengthBytes = 5_000_000;
const insertCount = 5000;

/** A folder of its own with the program's input in it. `rounds` is how often Lua does its work (default 1). */
export function freshRun(name: RealName, rounds = 1): Run {
  mkdirSync(realFolder, { recursive: true });
  const cwd = mkdtempSync(path.join(realFolder, `run-${name}-`));
  const dispose = () => rmSync(cwd, { recursive: true, force: true });
  if (name === 'lua') return { args: [path.join(workloads, 'strings.lua'), String(rounds)], cwd, dispose };
  if (name === 'sqlite3') {
    const stdin = path.join(cwd, 'shop.sql');
    writeFileSync(stdin, shopStatements(insertCount));
    return { args: ['-batch', 'shop.db'], stdin, cwd, dispose };
  }
  writeFileSync(path.join(cwd, 'text'), randomText(textLengthBytes));
  return { args: ['-9', '-k', 'text'], cwd, dispose };
}
