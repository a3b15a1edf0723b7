/**
 * `chronofork tty-holder SOCKET`: sits in the user's terminal on behalf of a
 * debuggee that runs elsewhere, and passes on what is typed, what is printed,
 * and the size of the window.
 *
 *     guardian  `stty -g` ─▶ starts the relay ─▶ waits ─▶ `stty SAVED`
 *     relay     raw terminal ◀─▶ socket
 *
 * Two processes, because a terminal left raw is useless to its owner: whichever
 * of the two dies, by whatever signal, the other puts the settings back.
 */
import { spawn, spawnSync } from 'node:child_process';
import { connect, Socket } from 'node:net';
import { encodeFrame, encodeSize, FrameDecoder } from '../launch/terminalFrames.js';

const relayMark = 'CHRONOFORK_TTY_RELAY';

function terminalSettings(): string | undefined {
  const result = spawnSync('stty', ['-g'], { stdio: ['inherit', 'pipe', 'ignore'] });
  return result.status === 0 ? result.stdout.toString().trim() : undefined;
}

function changeTerminal(...settings: string[]): void {
  spawnSync('stty', settings, { stdio: ['inherit', 'ignore', 'ignore'] });
}

export function ttyHolder(socketPath: string): Promise<number> {
  const saved = process.env[relayMark];
  return saved === undefined ? guard() : relay(socketPath, saved);
}

function guard(): Promise<number> {
  const settings = terminalSettings();
  // Ctrl-C reaches both while the terminal is not raw; only the relay decides.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTSTP'] as const) process.on(signal, () => undefined);
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    // The pipe at 3 tells the relay when we die.
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [relayMark]: settings ?? '' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (code) => {
      if (settings) changeTerminal(settings);
      resolve(code ?? 1);
    });
  });
}

function relay(socketPath: string, saved: string): Promise<number> {
  return new Promise((resolve) => {
    const done = (code: number) => {
      if (saved) changeTerminal(saved);
      resolve(code);
    };
    const socket = connect(socketPath);
    const sendSize = () => socket.write(encodeSize(process.stdout.columns || 80, process.stdout.rows || 24));
    const decoder = new FrameDecoder((kind, data) => {
      if (kind === 'd') process.stdout.write(data);
      if (kind === 'x') socket.end();
    });
    socket.on('connect', () => {
      // Not setRawMode(): that goes on turning newlines into two characters, which the debuggee's pty has done.
      if (saved) changeTerminal('raw', '-echo');
      sendSize();
      process.stdout.on('resize', sendSize);
      process.stdin.on('data', (data: Buffer) => socket.write(encodeFrame('d', data)));
      process.stdin.on('end', () => socket.end());
    });
    socket.on('data', (data: Buffer) => decoder.push(data));
    socket.on('error', () => done(1));
    socket.on('close', () => done(0));
    process.on('SIGTERM', () => socket.destroy());
    process.on('SIGHUP', () => socket.destroy());
    watchGuardian(() => socket.destroy());
  });
}

/** Calls back when the guardian is gone: its end of the pipe at descriptor 3 closes. */
function watchGuardian(onGone: () => void): void {
  const pipe = new Socket({ fd: 3, readable: true, writable: false });
  pipe.on('error', onGone);
  pipe.on('close', onGone);
  pipe.resume();
}
