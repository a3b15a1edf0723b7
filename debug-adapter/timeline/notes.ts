/**
 * What a person has written on checkpoints and branches beyond what the core
 * keeps: notes, and other names for branches. Lives as long as the session.
 */
import { ChronoforkError } from '../errors.js';
import type { Branch, Checkpoint, Timeline } from '../protocol/timeTravel.js';

type Known = Pick<Timeline, 'branches' | 'checkpoints'>;

export class Notes {
  private readonly ofCheckpoint = new Map<number, string>();
  private readonly ofBranch = new Map<number, string>();

  /** An empty note takes it away. @throws ChronoforkError 'invalidArguments' */
  noteCheckpoint({ checkpoints }: Known, id: number, note: string): void {
    if (typeof note !== 'string') throw new ChronoforkError('invalidArguments', 'A checkpoint is given a "note".');
    if (!checkpoints.some((one) => one.id === id))
      throw new ChronoforkError('invalidArguments', `There is no checkpoint ${id}.`);
    if (note.trim() === '') this.ofCheckpoint.delete(id);
    else this.ofCheckpoint.set(id, note);
  }

  forgetCheckpoint(id: number): void {
    this.ofCheckpoint.delete(id);
  }

  /** An empty name gives back the one it had. @throws ChronoforkError 'invalidArguments' */
  nameBranch({ branches }: Known, id: number, name: string): void {
    if (typeof name !== 'string') throw new ChronoforkError('invalidArguments', 'A branch is given a "name".');
    if (!branches.some((one) => one.id === id))
      throw new ChronoforkError('invalidArguments', `There is no branch ${id}.`);
    if (name.trim() === '') this.ofBranch.delete(id);
    else this.ofBranch.set(id, name.trim());
  }

  ofCheckpoints(checkpoints: readonly Checkpoint[]): Checkpoint[] {
    return checkpoints.map((one) => {
      const note = this.ofCheckpoint.get(one.id);
      return note === undefined ? one : { ...one, note };
    });
  }

  ofBranches(branches: readonly Branch[]): Branch[] {
    return branches.map((one) => {
      const name = this.ofBranch.get(one.id);
      return name === undefined ? one : { ...one, name };
    });
  }
}
