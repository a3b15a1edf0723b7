/**
 * Running other programs from the scripts: with output shown, captured, or
 * kept in a log file. Plain Node without packages, because the bootstrap needs
 * it before anything is installed.
 *
 * Easy to get wrong: a program that cannot be started at all must look like
 * one that failed (status 127), not throw in some of the cases.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** A failure that has been explained already: shown without a stack. */
export class ScriptError extends Error {}

/**
 * Runs a script's main function; a ScriptError ends the process with its
 * message and exit code 1, anything else with its stack.
 * @param {() => Promise<number | void>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof ScriptError ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * True when the importing file is the program that was started.
 * @param {string} moduleUrl
 */
export function isMain(moduleUrl) {
  return process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(moduleUrl);
}

/**
 * Runs a program to its end and returns what it printed; never throws.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {{ status: number, stdout: string, stderr: string }}
 */
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.error) return { status: 127, stdout: '', stderr: String(result.error.message) };
  return { status: result.status ?? 128, stdout: result.stdout, stderr: result.stderr };
}

/**
 * Runs a program with its output on our own; resolves with its exit status.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function show(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(127);
    });
    child.on('exit', (code, signal) => resolve(signal ? 128 : (code ?? 128)));
  });
}

/**
 * Runs a program with both outputs going, in order, to `logFile`; resolves
 * with its exit status and all it wrote. It gets a process group of its own,
 * and the whole group is killed after `limitSeconds`, so that nothing is left.
 * @param {string} command
 * @param {string[]} args
 * @param {{ logFile: string, limitSeconds: number, cwd?: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ status: number, output: string, timedOut: boolean }>}
 */
export function runLogged(command, args, options) {
  return new Promise((resolve) => {
    const log = createWriteStream(options.logFile);
    let output = '';
    let timedOut = false;
    /** @param {string} text */
    const take = (text) => {
      output += text;
      log.write(text);
    };
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of the group is left, which is what we want.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      take(`\n(stopped: it took longer than ${options.limitSeconds} s)\n`);
      killGroup();
    }, options.limitSeconds * 1000);
    process.on('exit', killGroup);
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);

    let finished = false;
    /** @param {number} status */
    const finish = (status) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      killGroup();
      process.off('exit', killGroup);
      log.end(() => resolve({ status, output, timedOut }));
    };
    child.on('error', (error) => {
      take(`${command}: ${error.message}\n`);
      finish(127);
    });
    // 'close' waits for the pipes too, which a left-over grandchild could hold open: so the group
    // is killed as soon as its leader has ended.
    child.on('exit', () => setTimeout(killGroup, 2000).unref());
    child.on('close', (code, signal) => finish(signal ? 128 : (code ?? 128)));
  });
}
