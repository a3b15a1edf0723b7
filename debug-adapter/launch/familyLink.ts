/**
 * The other end of family.ts: the session of a child, tied to its parent's.
 *
 * Easy to get wrong: a process with our filter and no tracer cannot make a
 * single call. So what this session lets go is parked, and must be seen to be
 * taken back by the parent's session; if there is none any more, it is ended.
 */
import { readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ChronoforkError } from '../errors.js';
import type { FamilyTie } from './attachArguments.js';
import type { ToChild, ToParent } from './family.js';

/** The parent's session looks after its children every 20 ms; on a busy machine a search may keep it. */
const takenBackWithin_ms = 10_000;
const answeredWithin_ms = 10_000;
const lookEvery_ms = 10;

export class FamilyLink {
  /** Told once: the parent's session has ended, and this one shall too. */
  onParentGone: () => void = () => undefined;
  private parentLives = true;
  private closing = false;
  private readonly answers = new Map<string, () => void>();

  private constructor(
    private readonly connection: Socket,
    private readonly tie: FamilyTie,
  ) {
    createInterface({ input: connection }).on('line', (line) => this.received(JSON.parse(line) as ToChild));
    connection.on('error', () => connection.destroy());
    connection.on('close', () => this.lost());
  }

  /** @throws ChronoforkError 'familyGone' */
  static async join(tie: FamilyTie): Promise<FamilyLink> {
    const connection = createConnection(tie.socket);
    try {
      await new Promise<void>((resolve, reject) => connection.once('connect', resolve).once('error', reject));
    } catch {
      throw parentGone();
    }
    return new FamilyLink(connection, tie);
  }

  /** The process that a parked child relies on. */
  get guard(): number {
    return this.tie.adapter;
  }

  /**
   * Resolves when the process waits to be attached to.
   *
   * @throws ChronoforkError 'notHandedOver'
   */
  async want(pid: number): Promise<void> {
    await this.ask({ want: pid }, `parked ${pid}`).catch(() => {
      // A program that was attached to has children that need no tracer: such a one was let go before.
      if (tracerOf(pid) === 0) return;
      throw new ChronoforkError(
        'notHandedOver',
        `The session of its parent does not hand over process ${pid}.`,
        'It may have ended, or be debugged already.',
      );
    });
  }

  /** When it is let go, the process waits for a session that follows this one. */
  async keep(pid: number): Promise<void> {
    await this.ask({ keep: pid }, `kept ${pid}`);
  }

  /**
   * After the process was parked: whether the parent's session has taken it
   * back, or it has ended.
   */
  async hasTakenBack(pid: number): Promise<boolean> {
    const until = Date.now() + takenBackWithin_ms;
    while (this.parentLives && Date.now() < until) {
      if (tracerOf(pid) !== 0) return true;
      await new Promise((resolve) => setTimeout(resolve, lookEvery_ms));
    }
    return tracerOf(pid) !== 0;
  }

  close(): void {
    this.closing = true;
    this.connection.destroy();
  }

  private received(message: ToChild): void {
    if ('alone' in message) {
      this.parentLives = false;
      this.closing = true;
      return;
    }
    const answer = 'parked' in message ? `parked ${message.parked}` : `kept ${message.kept}`;
    this.answers.get(answer)?.();
    this.answers.delete(answer);
  }

  private async ask(question: ToParent, answer: string): Promise<void> {
    if (!this.parentLives) throw parentGone();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), answeredWithin_ms);
    });
    const answered = new Promise<void>((resolve) => this.answers.set(answer, resolve));
    this.connection.write(`${JSON.stringify(question)}\n`);
    await Promise.race([answered, late]).finally(() => clearTimeout(timer));
  }

  private lost(): void {
    this.parentLives = false;
    if (!this.closing) this.onParentGone();
    this.closing = true;
  }
}

function parentGone(): ChronoforkError {
  return new ChronoforkError(
    'familyGone',
    'The debug session that this process belongs to has ended.',
    'Start that one again.',
  );
}

/** The tracer of a process: 0 none, undefined when the process is gone. */
function tracerOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    if (/^State:\s+[ZX]/m.test(status)) return undefined;
    return Number(/^TracerPid:\s+(\d+)/m.exec(status)?.[1]);
  } catch {
    return undefined;
  }
}
