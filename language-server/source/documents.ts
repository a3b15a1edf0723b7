/**
 * The source files that the editor has open, and whether what it shows of one
 * is what the program was built from: only then a line is that line.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TextDocument } from 'vscode-languageserver-textdocument';

export function pathOf(uri: string): string | undefined {
  try {
    return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
  } catch {
    return undefined;
  }
}

/** `edited`: not as on disk; `newer`: written after the program was. */
export type Agreement = 'same' | 'edited' | 'newer' | 'unknown';

export function agreement(document: TextDocument, path: string, program: string): Agreement {
  try {
    if (readFileSync(path, 'utf8').replace(/\r\n?/g, '\n') !== document.getText().replace(/\r\n?/g, '\n'))
      return 'edited';
    return statSync(path).mtimeMs > statSync(program).mtimeMs ? 'newer' : 'same';
  } catch {
    return 'unknown';
  }
}
