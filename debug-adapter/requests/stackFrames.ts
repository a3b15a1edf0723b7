/**
 * DAP ids of stack frames. They belong to one stop: an id of an earlier one is
 * refused, not taken for another frame.
 */
import { ChronoforkError } from '../errors.js';

export class StackFrames {
  private readonly known = new Map<number, { tid: number; level: number }>();
  private readonly ids = new Map<string, number>();
  private nextId = 1;

  idOf(tid: number, level: number): number {
    const key = `${tid}:${level}`;
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.nextId++;
      this.ids.set(key, id);
      this.known.set(id, { tid, level });
    }
    return id;
  }

  /** @throws ChronoforkError 'invalidArguments' */
  find(id: number): { tid: number; level: number } {
    const found = this.known.get(id);
    if (!found) throw new ChronoforkError('invalidArguments', 'This stack frame belongs to an earlier stop.');
    return found;
  }

  clear(): void {
    this.known.clear();
    this.ids.clear();
  }
}
