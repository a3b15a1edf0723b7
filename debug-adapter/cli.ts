#!/usr/bin/env node
/**
 * The command line: `chronofork dap | lsp | verify | query | doctor | tty-holder`. Says what
 * it takes when it is asked wrongly, and exits with 64 then, as sysexits.h has it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf } from './errors.js';

const usage = `Usage:
  chronofork dap [--port N]                speak the Debug Adapter Protocol on stdin and stdout,
                                           or with each client of a port on this machine
  chronofork lsp                           speak the Language Server Protocol on stdin and stdout: the history
                                           of open debug sessions in the editor (docs/editors.md)
  chronofork verify [--interval MS] [--events N] [--replays N] [--report FILE] [--native] -- PROGRAM ARGS…
                                           record a program, replay it from everywhere, compare;
                                           checkpoints every MS, after N events; N replays to the end;
                                           exit code 0: identical, 1: diverged, 2: not recorded
  chronofork query QUESTION [--from MS] [--to MS] [--count N] [--json] -- PROGRAM ARGS…
                                           run a program to its end, and look through its past; questions:
                                           hit-counts FILE | values FILE:LINE EXPRESSION [--if CONDITION]
                                           log FILE:LINE MESSAGE [--if CONDITION] | calls FUNCTION
                                           writes EXPRESSION [--stack LEVELS] | diff
  chronofork doctor [--json]               what this machine allows, and how to get the rest
  chronofork --version | --help
`;

const usageError = 64;

class UsageError extends Error {}

async function run(args: string[]): Promise<number | undefined> {
  const [command, ...rest] = args;
  if (rest[0] === '--help') return run(['--help']);
  if (command === 'verify' || command === 'query') endWhenAsked();
  switch (command) {
    case 'dap':
      return dap(rest);
    case 'lsp':
      // --stdio, which some editors add, is what it does anyway.
      if (rest.some((option) => option !== '--stdio')) throw new UsageError('lsp takes no arguments');
      (await import('../language-server/main.js')).serveLanguage();
      return undefined;
    case 'verify':
      return (await import('./cli/verify.js')).verifyCommand(rest, UsageError);
    case 'query':
      return (await import('./cli/query.js')).queryCommand(rest, UsageError);
    case 'doctor':
      return (await import('./cli/doctor.js')).doctorCommand(rest, UsageError);
    case 'tty-holder': {
      const [socket] = rest;
      if (!socket || rest.length !== 1) throw new UsageError('tty-holder needs the path of a socket');
      return (await import('./cli/ttyHolder.js')).ttyHolder(socket);
    }
    case '--version':
      process.stdout.write(`chronofork ${(await import('./version.js')).version()}\n`);
      return 0;
    case '--help':
    case 'help':
      process.stdout.write(usage);
      return 0;
    default:
      throw new UsageError(command ? `there is no command "${command}"` : 'a command is missing');
  }
}

/**
 * What others do by default the first process of a container does only when it
 * says so. Node waits for the core's thread, which waits for the program.
 */
function endWhenAsked(): void {
  if (process.pid !== 1) return;
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      for (const child of ownChildren()) kill(child);
      process.exit(128 + constants.signals[signal]);
    });
}

function ownChildren(): number[] {
  const tasks = '/proc/self/task';
  const texts = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/children`, 'utf8'));
  return texts.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Undefined: the process goes on until its client leaves. */
async function dap(args: string[]): Promise<undefined> {
  const { servePort, serveStdio } = await import('./main.js');
  if (args.length === 0) {
    serveStdio();
    return undefined;
  }
  const [option, value] = args[0]!.startsWith('--port=') ? ['--port', args[0]!.slice(7)] : args;
  const port = Number(value);
  if (option !== '--port' || !/^\d+$/.test(value ?? '') || port > 65535)
    throw new UsageError('dap takes --port N, with N from 0 to 65535');
  const listening = await servePort(port);
  process.stderr.write(`chronofork: listening on 127.0.0.1:${listening}\n`);
  return undefined;
}

run(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exit(code);
  },
  (error: unknown) => {
    if (error instanceof UsageError) process.stderr.write(`chronofork: ${error.message}\n\n${usage}`);
    else process.stderr.write(`chronofork: ${messageOf(error)}\n`);
    process.exit(error instanceof UsageError ? usageError : 2);
  },
);
