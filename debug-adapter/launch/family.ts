/**
 * A program's children as sessions of their own, seen from the program's session.
 *
 *     core: childParked ──▶ startDebugging ──▶ the client starts another adapter
 *                                                │ joins (familyLink.ts), attaches
 *     each child's session ◀── one connection ───┘ for as long as both live
 *
 * The connection says when this session ends: the children's end with it, but
 * for those whose parent program has ended by itself.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { sendOutput, type Client } from '../client.js';
import type { Core } from '../core/core.js';
import { messageOf } from '../errors.js';
import type { FamilyTie } from './attachArguments.js';
import { listenNameless, type NamelessSocket } from './namelessSocket.js';
import type { SessionConfig } from './options.js';
import { programName } from './programCheck.js';

/** A person may be asked something before the session starts; the child waits no longer than the core lets it. */
const startedWithin_ms = 60_000;

/** From a child's session: it wants that process, or will let it go for a session that follows. */
export type ToParent = { want: number } | { keep: number };
/** To a child's session: the process waits for it; its wish is known; this session ends without it. */
export type ToChild = { parked: number } | { kept: number } | { alone: true };

export class Family {
  private readonly members = new Set<Socket>();
  private readonly wanted = new Map<number, Socket>();

  private constructor(
    private readonly client: Client,
    private readonly core: Core,
    private readonly config: SessionConfig,
    private readonly server: Server,
    private readonly socket: NamelessSocket,
  ) {
    server.on('connection', (member) => this.admit(member));
    core.on('childParked', (pid, program, began) => this.parked(pid, program, began));
  }

  /** Listens for the children's sessions. To be done before the program can have children. */
  static async open(client: Client, core: Core, config: SessionConfig): Promise<Family> {
    const server = createServer();
    const socket = await listenNameless(server);
    return new Family(client, core, config, server, socket);
  }

  /** Whether the client can start sessions; says so if it cannot. */
  static isPossible(client: Client): boolean {
    if (client.capabilities.supportsStartDebuggingRequest) return true;
    sendOutput(
      client,
      'important',
      'This client cannot start further debug sessions ("startDebugging"): the program’s children run on undebugged.\n',
    );
    return false;
  }

  /** @param alone  the children's sessions go on without this one; otherwise they end */
  close(options: { alone: boolean }): void {
    for (const member of this.members) {
      if (options.alone) tell(member, { alone: true });
      member.end();
    }
    this.server.close();
    this.socket.forget();
  }

  private admit(member: Socket): void {
    this.members.add(member);
    member.on('error', () => member.destroy());
    member.on('close', () => this.members.delete(member));
    createInterface({ input: member }).on('line', (line) => {
      const message = JSON.parse(line) as ToParent;
      if ('want' in message) {
        this.wanted.set(message.want, member);
        this.core.handOverChild(message.want);
      } else {
        this.core.handOverChild(message.keep);
        tell(member, { kept: message.keep });
      }
    });
  }

  private parked(pid: number, program: string, began: 'fork' | 'exec' | 'earlier'): void {
    const member = this.wanted.get(pid);
    this.wanted.delete(pid);
    if (member) tell(member, { parked: pid });
    else void this.start(pid, program, began);
  }

  private async start(pid: number, program: string, began: 'fork' | 'exec' | 'earlier'): Promise<void> {
    const name = programName(program);
    const tie: FamilyTie = { socket: this.socket.path, adapter: process.pid, began };
    const { checkpointIntervalMs: intervalMs, checkpointMemoryMb: memoryMb } = this.config;
    const { sourceMap, gdbPath, setupCommands, onEditedContinue, stopOnEntry, followChildren } = this.config;
    const configuration = {
      type: 'chronofork',
      name: `child ${pid} ${name}`,
      pid,
      program,
      ...{ sourceMap, gdbPath, setupCommands, onEditedContinue, stopOnEntry, followChildren },
      checkpoints: { intervalMs, memoryMb },
      __family: tie,
    };
    try {
      await this.client.request('startDebugging', { request: 'attach', configuration }, startedWithin_ms);
    } catch (error) {
      this.core.letChildRun(pid);
      const why = messageOf(error);
      sendOutput(this.client, 'important', `Process ${pid} (${name}) runs on undebugged: ${why}\n`);
    }
  }
}

function tell(member: Socket, message: ToChild): void {
  member.write(`${JSON.stringify(message)}\n`);
}
