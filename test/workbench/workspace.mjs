/**
 * The folder that a journey opens: fresh, with programs built from the sources
 * in programs/, whose `//@` marks name the lines.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ScriptError, capture } from '../../scripts/lib/run.mjs';

const sources = path.join(path.dirname(fileURLToPath(import.meta.url)), 'programs');

/**
 * @typedef {object} Build where a program's source and the program are, from the folder on
 * @property {string} of the source in programs/, without `.c`
 * @property {string} source
 * @property {string} program
 */

export class Workspace {
  #home = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'chronofork-workspace-')));

  /**
   * @param {(string | Build)[]} programs a source in programs/ without `.c`: built beside it, under its own name
   * @param {string} [name] the folder's own name
   */
  constructor(programs, name = '') {
    this.folder = path.join(this.#home, name);
    for (const given of programs) {
      const build = typeof given === 'string' ? { of: given, source: `${given}.c`, program: given } : given;
      const [source, program] = [path.join(this.folder, build.source), path.join(this.folder, build.program)];
      for (const file of [source, program]) mkdirSync(path.dirname(file), { recursive: true });
      copyFileSync(path.join(sources, `${build.of}.c`), source);
      const built = capture('gcc', ['-g', '-O0', '-o', program, source]);
      if (built.status !== 0) throw new ScriptError(`${build.source} could not be built:\n${built.stderr}`);
    }
  }

  /**
   * The line of a mark.
   * @param {string} program its source in programs/, without `.c`
   * @param {string} mark
   */
  line(program, mark) {
    const lines = readFileSync(path.join(sources, `${program}.c`), 'utf8').split('\n');
    const index = lines.findIndex((line) => line.endsWith(`//@ ${mark}`));
    if (index < 0) throw new Error(`${program}.c has no mark ${mark}`);
    return index + 1;
  }

  /**
   * Waits until no process runs a program of the folder any more; what is left
   * after that is ended by force.
   * @returns {Promise<number[]>} process ids of what had to be ended
   */
  async endProcesses() {
    for (const deadline = Date.now() + 8000; Date.now() < deadline;) {
      if (this.#processes().length === 0) return [];
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const left = this.#processes();
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    return left;
  }

  #processes() {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map(Number).filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).startsWith(`${this.#home}/`);
      } catch {
        return false; // it has ended, or it is another user's
      }
    });
  }

  remove() {
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
