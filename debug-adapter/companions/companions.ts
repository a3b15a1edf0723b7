/**
 * Where a session's companions (companion.ts) connect: a socket without a name
 * in the file system, which this user alone can reach and which goes with this
 * process, even by kill -9.
 *
 *     /proc/net/unix             …/chronofork-XXXXXX/session.PID     that there is a session, and whose
 *     /proc/PID/fd/N  ─readlink─▶ the same path, deleted             where to connect
 */
import { createServer, type Server, type Socket } from 'node:net';
import { listenNameless, type NamelessSocket } from '../launch/namelessSocket.js';
import { Log } from '../log.js';
import { Companion, type Host } from './companion.js';

const log = new Log('session');

export class Companions {
  private readonly connected = new Set<Companion>();
  private closed = false;

  private constructor(
    private readonly server: Server,
    private readonly socket: NamelessSocket,
  ) {}

  /** Undefined where no socket can be had: a session does without companions. */
  static async open(host: Host): Promise<Companions | undefined> {
    const server = createServer();
    try {
      const companions = new Companions(server, await listenNameless(server, `session.${process.pid}`));
      server.on('connection', (connection) => companions.admit(host, connection));
      // Nobody waits for companions when the session is over.
      server.unref();
      return companions;
    } catch (error) {
      log.write('error', `no companions: ${String(error)}`);
      return undefined;
    }
  }

  tell(event: string, body: unknown): void {
    for (const companion of this.connected) companion.hear(event, body);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const companion of this.connected) companion.close();
    this.server.close();
    this.socket.forget();
  }

  private admit(host: Host, connection: Socket): void {
    const companion = new Companion(host, connection);
    this.connected.add(companion);
    connection.on('error', () => connection.destroy());
    connection.on('close', () => this.connected.delete(companion));
    connection.unref();
  }
}
