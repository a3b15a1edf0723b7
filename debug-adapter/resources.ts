/**
 * Finds files that belong to the adapter but are not JavaScript, in the source
 * tree and in the packaged extension alike: by walking up from this module.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this module; a CommonJS bundle has __filename and no import.meta.url. */
export function ownFolder(): string {
  return dirname(typeof __filename === 'string' ? __filename : fileURLToPath(import.meta.url));
}

/**
 * The first existing `folder/name` at or above this module's folder.
 * @param names  paths relative to the root of the installation
 */
export function findResource(...names: string[]): string | undefined {
  for (let folder = ownFolder(); ; folder = dirname(folder)) {
    for (const name of names) {
      const candidate = join(folder, name);
      if (existsSync(candidate)) return candidate;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** The command line's own file: this process was started from it, or from the file beside it. */
export function commandLine(): string {
  const own = realpathSync(process.argv[1] ?? '');
  return own.replace(/main(\.[cm]?[jt]s)$/, 'cli$1');
}
