/**
 * The small debuggees in test/programs: built once, known by their marks.
 *
 *     total += amount; //@ deposit
 *
 * A test names a line by its mark, so no test holds a line number.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';

const folder = path.join(root, 'test/programs');
const buildFolder = path.join(root, 'build/test-programs');

export interface Program {
  name: string;
  source: string;
  executable: string;
  /** Line numbers by mark. */
  marks: Map<string, number>;
  /** Marks by line number. */
  markAt: Map<number, string>;
}

/** The marks of a source text. */
export function marksIn(text: string): Map<string, number> {
  const marks = new Map<string, number>();
  text.split('\n').forEach((line, index) => {
    const name = /\/\/@ (\S+)/.exec(line)?.[1];
    if (name === undefined) return;
    if (marks.has(name)) throw new Error(`The mark "${name}" is there twice.`);
    marks.set(name, index + 1);
  });
  return marks;
}

function newer(source: string, built: string): boolean {
  try {
    return statSync(source).mtimeMs > statSync(built).mtimeMs;
  } catch {
    return true;
  }
}

/**
 * Compiles a program of test/programs, unless that was done already.
 *
 * @param flags  the compiler's; each set of flags has its own executable
 * @throws Error with the compiler's output
 */
export function program(name: string, flags: string[] = ['-g', '-O0']): Program {
  const source = path.join(folder, name);
  // Folders of programs may have files of the same name.
  const builtName = `${name.replaceAll('/', '-')}${flags.join('').replace(/[^A-Za-z0-9-]/g, '_')}`;
  const executable = path.join(buildFolder, builtName);
  if (newer(source, executable)) {
    mkdirSync(buildFolder, { recursive: true });
    const compiler = name.endsWith('.cc') ? 'g++' : 'gcc';
    // Suites run side by side: never leave half a file under the name.
    const temporary = `${executable}.${process.pid}`;
    const made = spawnSync(compiler, [...flags, '-o', temporary, source], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`${name} could not be built:\n${made.stderr}`);
    renameSync(temporary, executable);
  }
  const marks = marksIn(readFileSync(source, 'utf8'));
  return { name, source, executable, marks, markAt: new Map([...marks].map(([mark, line]) => [line, mark])) };
}
