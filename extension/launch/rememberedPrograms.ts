/**
 * Which program was chosen for which source file, kept per workspace. Pure but
 * for the store it is given (a workspace's memento).
 *
 * A program chosen for one file serves its neighbours too (a program has many
 * source files), but not for a file that has a program of its own name: then
 * the user is asked.
 */

/** The part of a `vscode.Memento` that is needed. */
export interface Store {
  get<T>(key: string): T | undefined;
  update(key: string, value: unknown): PromiseLike<void>;
}

interface Remembered {
  /** source file → program */
  bySource: Record<string, string>;
  /** The one chosen last, in this workspace. */
  last?: string;
}

const key = 'chronofork.programs';
/** Enough for any workspace; the oldest choices go first. */
const maxSources = 200;

export class RememberedPrograms {
  constructor(private readonly store: Store) {}

  /** The program to start without asking, if there is one. `hasOwnProgram`: one with the source file's name was found. */
  recall(source: string | undefined, hasOwnProgram: boolean): string | undefined {
    const remembered = this.read();
    if (source !== undefined && remembered.bySource[source] !== undefined) return remembered.bySource[source];
    return hasOwnProgram ? undefined : remembered.last;
  }

  /** What was chosen last, whatever the file: to be offered first. */
  get last(): string | undefined {
    return this.read().last;
  }

  async remember(source: string | undefined, program: string): Promise<void> {
    const { bySource } = this.read();
    if (source !== undefined) {
      delete bySource[source]; // so that it becomes the youngest
      bySource[source] = program;
    }
    const kept = Object.entries(bySource).slice(-maxSources);
    await this.store.update(key, { bySource: Object.fromEntries(kept), last: program } satisfies Remembered);
  }

  private read(): Remembered {
    const stored = this.store.get<Remembered>(key);
    return { bySource: { ...stored?.bySource }, last: stored?.last };
  }
}
