/**
 * A listening Unix socket that leaves nothing in the file system, not even when
 * this process is killed: its name is taken away as soon as it is bound. Clients
 * of the same user reach it by the descriptor that is kept of its file,
 * /proc/PID/fd/N. (native/rsp/nameless_socket.h is the same for gdb.)
 *
 * Easy to get wrong: Node binds within listen(), but reports a failure later,
 * as an event.
 */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** open(2)'s O_PATH on Linux, which Node has no name for. */
const openPath = 0o10000000;

/** A Unix socket's path may have that many; ours adds six random letters and the name. */
const longestPath_bytes = 107;

export interface NamelessSocket {
  /** Where clients connect. */
  readonly path: string;
  /** Nobody can connect any more; connections stay. */
  forget(): void;
}

/**
 * @param called  the name that it has for a moment; /proc/net/unix goes on showing it
 * @throws Error when there is no folder to bind it in
 */
export async function listenNameless(server: Server, called = 'tty'): Promise<NamelessSocket> {
  const wanted = join(tmpdir(), 'chronofork-');
  const length_bytes = Buffer.byteLength(`${wanted}ABCDEF/${called}`);
  // mkdtemp makes it with mode 0700, so that nobody connects by the name.
  const folder = mkdtempSync(length_bytes <= longestPath_bytes ? wanted : '/tmp/chronofork-');
  const listening = new Promise<void>((resolve, reject) => server.once('error', reject).once('listening', resolve));
  try {
    const name = join(folder, called);
    server.listen(name);
    const file = openSync(name, openPath);
    return { path: `/proc/${process.pid}/fd/${file}`, forget: () => closeSync(file) };
  } catch (error) {
    await listening; // tells why, when it was not bound
    throw error;
  } finally {
    listening.catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}
