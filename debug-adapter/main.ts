/**
 * The adapter as a process: one session on stdin and stdout, or one for each
 * connection to a port of the loopback interface. Nothing else.
 *
 * The core traces one program in a process. A client that connects while
 * another is served here gets a process of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import type { CoreModule } from './core/core.js';
import { loadNativeCore } from './core/nativeCore.js';
import { commandLine } from './resources.js';
import { Session } from './session.js';

/** A session that cannot end by itself in this time is ended with the process. */
const endWithin_ms = 3000;

const sessions = new Set<Session>();
const children = new Set<ChildProcess>();

function endOnSignals(): void {
  const end = () => {
    setTimeout(() => process.exit(1), endWithin_ms).unref();
    for (const child of children) child.kill('SIGTERM');
    void Promise.all([...sessions].map((session) => session.end())).then(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
}

function openSession(loadCore: () => CoreModule, onEnd: () => void): Session {
  const session: Session = new Session(loadCore, () => {
    sessions.delete(session);
    onEnd();
  });
  sessions.add(session);
  return session;
}

/** One session on stdin and stdout; the process ends with it. */
export function serveStdio(loadCore: () => CoreModule = loadNativeCore): void {
  endOnSignals();
  // What nobody expected must not leave the debuggee behind.
  const session = openSession(loadCore, () => {
    // Let what has been written reach the client.
    process.stdout.write('', () => process.exit(0));
    setTimeout(() => process.exit(0), endWithin_ms).unref();
  });
  process.stdout.on('error', () => void session.end());
  session.serve(process.stdin, process.stdout);
}

/**
 * Sessions on a port of the loopback interface; 0 chooses a free one.
 * Resolves with the port when it listens.
 */
export function servePort(port: number, loadCore: () => CoreModule = loadNativeCore): Promise<number> {
  endOnSignals();
  // Paused, so that nothing has been read of a connection that is handed on.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    if (sessions.size > 0) return serveInChild(socket);
    const session = openSession(loadCore, () => socket.end());
    socket.on('error', () => void session.end());
    session.serve(socket, socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function serveInChild(socket: Socket): void {
  const command = [...process.execArgv, commandLine(), 'dap'];
  const child = spawn(process.execPath, command, { stdio: [socket, socket, 'inherit'] });
  children.add(child);
  const over = () => {
    children.delete(child);
    socket.destroy();
  };
  child.on('exit', over);
  child.on('error', over);
}
