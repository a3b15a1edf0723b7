/**
 * integratedTerminal: asks the client to run our tty-holder in a terminal of
 * its own, and relays between that and the debuggee's pty.
 *
 * When the holder goes (the user closed the terminal) the debuggee's terminal
 * hangs up, as it would without us.
 */
import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { CoreModule } from '../core/core.js';
import { ChronoforkError } from '../errors.js';
import type { Console } from './console.js';
import { listenNameless } from './namelessSocket.js';
import { OutputReader } from './outputReader.js';
import { encodeFrame, FrameDecoder } from './terminalFrames.js';

/** A client opens a terminal in a second; a remote one in several. */
const holderWithin_ms = 30_000;

export class TerminalConsole implements Console {
  readonly stdio: [number, number, number];
  readonly controllingTerminal = true;
  private readonly reader: OutputReader;

  private constructor(
    private readonly module: CoreModule,
    private readonly server: Server,
    private readonly holder: Socket,
    private readonly pty: { master: number; slave: number },
    onOutput: (bytes: Buffer) => void,
  ) {
    this.stdio = [pty.slave, pty.slave, pty.slave];
    this.reader = new OutputReader(pty.master, 'pty', (data) => {
      this.holder.write(encodeFrame('d', data));
      onOutput(data);
    });
  }

  /**
   * @param openTerminal  makes the client run `chronofork tty-holder SOCKET`
   * @param onOutput      what the terminal is given to show
   * @throws ChronoforkError 'terminalFailed'
   */
  static async open(
    module: CoreModule,
    openTerminal: (socket: string) => Promise<void>,
    onOutput: (bytes: Buffer) => void,
  ): Promise<TerminalConsole> {
    const server = createServer();
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const socket = await listenNameless(server);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it did not answer in time')), holderWithin_ms);
    });
    try {
      const [holder] = await Promise.all([Promise.race([connected, late]), openTerminal(socket.path)]);
      return TerminalConsole.relay(module, server, holder, onOutput);
    } catch (error) {
      server.close();
      throw new ChronoforkError(
        'terminalFailed',
        `The terminal for the program could not be opened: ${error instanceof Error ? error.message : String(error)}.`,
        'Use "console": "internalConsole" if this editor has no terminals.',
      );
    } finally {
      clearTimeout(timer);
      socket.forget();
    }
  }

  private static relay(
    module: CoreModule,
    server: Server,
    holder: Socket,
    onOutput: (bytes: Buffer) => void,
  ): TerminalConsole {
    const console = new TerminalConsole(module, server, holder, module.openPty(false), onOutput);
    const decoder = new FrameDecoder((kind, data) => console.received(kind, data));
    holder.on('data', (data: Buffer) => {
      try {
        decoder.push(data);
      } catch {
        holder.destroy();
      }
    });
    holder.on('error', () => holder.destroy());
    holder.on('close', () => void console.reader.close());
    return console;
  }

  private received(kind: string, data: Buffer): void {
    if (kind === 'd') this.reader.write(data);
    if (kind === 's' && data.length === 4)
      this.module.setPtySize(this.pty.master, data.readUInt16BE(0), data.readUInt16BE(2));
  }

  launched(): void {
    closeSync(this.pty.slave);
  }

  drain(): Promise<void> {
    return this.reader.drain();
  }

  async close(): Promise<void> {
    await this.reader.drain();
    this.holder.end(encodeFrame('x'));
    this.server.close();
    await this.reader.close();
  }
}
