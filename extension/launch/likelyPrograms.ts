/**
 * Finds the built programs that a source file may belong to, so that F5 works
 * without launch.json: beside the file, in build folders, in Cargo's target
 * folder, and wherever CMake has been told to build. Best guess first.
 *
 * It reads directories and the first bytes of executable files, nothing else:
 * no build tool is started. Bounded, so that a huge workspace costs no more
 * than a small one: see the limits below.
 */
import type { Stats } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

export interface LikelyProgram {
  readonly path: string;
  /** When it was built. */
  readonly modifiedMs: number;
  /** Built before the source file was last saved: its lines may not match. */
  readonly olderThanSource: boolean;
  /** Has the source file's name. */
  readonly sameName: boolean;
}

/** How deep below a build folder; CMake's and meson's own layouts need three. */
const maxDepth = 3;
/** Directory entries looked at in all: listing them takes a few tens of milliseconds. */
const maxEntries = 5000;
/** A list longer than this helps nobody. */
const maxPrograms = 30;

const buildFolders = [
  'build',
  'builddir',
  'out',
  'bin',
  'Debug',
  'debug',
  'cmake-build-debug',
  'cmake-build-relwithdebinfo',
];
const neverEntered = new Set(['CMakeFiles', 'node_modules', 'deps', 'incremental', '.fingerprint', 'meson-private']);

/**
 * The programs that were probably built from `source`, best first.
 *
 * @param source the open source file; undefined: whatever the workspace has
 * @param root   the workspace folder, above which nothing is looked for
 */
export async function likelyPrograms(source: string | undefined, root: string | undefined): Promise<LikelyProgram[]> {
  const start = source ? path.dirname(source) : root;
  if (!start) return [];
  const folders = foldersUpTo(start, root);
  const search = new Search();
  for (const folder of folders) await search.addFolder(folder, 0);
  for (const folder of folders) await search.addBuildFoldersOf(folder);
  const savedMs = source ? (await stat(source).catch(() => undefined))?.mtimeMs : undefined;
  const stem = source && path.basename(source, path.extname(source));
  const programs = [...search.found].map(([file, stats]): LikelyProgram => {
    const name = path.basename(file);
    return {
      path: file,
      modifiedMs: stats.mtimeMs,
      olderThanSource: savedMs !== undefined && stats.mtimeMs < savedMs,
      sameName: stem !== undefined && (name === stem || path.basename(name, path.extname(name)) === stem),
    };
  });
  return programs.sort(bestFirst).slice(0, maxPrograms);
}

/** `folder` and the folders above it, as far as `root`; `folder` alone if it is not below `root`. */
export function foldersUpTo(folder: string, root: string | undefined): string[] {
  if (!root || (folder !== root && !folder.startsWith(root + path.sep))) return [folder];
  const folders = [folder];
  while (folder !== root) {
    folder = path.dirname(folder);
    folders.push(folder);
  }
  return folders;
}

/** Same name first, then the one built last. */
function bestFirst(a: LikelyProgram, b: LikelyProgram): number {
  return Number(b.sameName) - Number(a.sameName) || b.modifiedMs - a.modifiedMs || a.path.localeCompare(b.path);
}

class Search {
  readonly found = new Map<string, Stats>();
  private readonly entered = new Set<string>();
  private entriesLeft = maxEntries;

  /** Programs directly in `folder`, and in the folders below it down to `depth`. */
  async addFolder(folder: string, depth: number): Promise<void> {
    if (this.entered.has(folder) || this.entriesLeft <= 0) return;
    this.entered.add(folder);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    this.entriesLeft -= entries.length;
    for (const entry of entries) {
      const full = path.join(folder, entry.name);
      if (entry.isFile()) await this.addIfProgram(full);
      else if (entry.isDirectory() && depth > 0 && !neverEntered.has(entry.name)) await this.addFolder(full, depth - 1);
    }
  }

  async addBuildFoldersOf(folder: string): Promise<void> {
    for (const name of buildFolders) await this.addFolder(path.join(folder, name), maxDepth);
    for (const profile of ['debug', 'release']) {
      await this.addFolder(path.join(folder, 'target', profile), 0);
      await this.addFolder(path.join(folder, 'target', profile, 'examples'), 0);
    }
    // CMake builds in any folder it is told to; its cache file gives it away.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
      const candidate = path.join(folder, entry.name);
      if (await exists(path.join(candidate, 'CMakeCache.txt'))) await this.addFolder(candidate, maxDepth);
    }
  }

  private async addIfProgram(file: string): Promise<void> {
    if (this.found.has(file) || /\.(so(\.[\d.]+)?|o|a|ko|sh|py)$/.test(file)) return;
    const stats = await stat(file).catch(() => undefined);
    if (!stats || (stats.mode & 0o111) === 0 || !(await isElfProgram(file))) return;
    this.found.set(file, stats);
  }
}

/** True for an ELF file of the kinds that can be run: executables and position-independent ones. */
async function isElfProgram(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return false;
  try {
    const header = Buffer.alloc(18);
    const { bytesRead } = await handle.read(header, 0, header.length, 0);
    const executable = 2;
    const sharedObject = 3; // what a position-independent executable says as well
    const type = header.readUInt16LE(16);
    return (
      bytesRead === header.length &&
      header.toString('latin1', 0, 4) === '\x7fELF' &&
      (type === executable || type === sharedObject)
    );
  } catch {
    return false;
  } finally {
    await handle.close();
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
