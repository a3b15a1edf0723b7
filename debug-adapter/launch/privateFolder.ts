/**
 * A folder that only this user may enter, for the sockets of one session.
 * Gone when the session ends, and at the latest when the process exits.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Unix socket's path may have 107 bytes; ours adds "/gdb.sock". */
const longestFolder_bytes = 90;

export class PrivateFolder {
  readonly path: string;
  private readonly atExit = () => this.remove();

  constructor() {
    const wanted = join(tmpdir(), 'chronofork-');
    const usable = Buffer.byteLength(wanted) + 6 <= longestFolder_bytes;
    // mkdtemp makes it with mode 0700.
    this.path = mkdtempSync(usable ? wanted : '/tmp/chronofork-');
    process.on('exit', this.atExit);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    process.removeListener('exit', this.atExit);
    rmSync(this.path, { recursive: true, force: true });
  }
}
