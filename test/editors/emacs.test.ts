/** A foreign editor and an independent client of the debugger: Emacs' dap-mode, as Debian has it (docs/editors.md). */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/lib/run.mjs';
import { nothingLeft } from '../dsl/leftovers.js';
import { program } from '../dsl/programs.js';

const hasDapMode =
  spawnSync('emacs', ['--batch', '-l', 'package', '-f', 'package-initialize', '--eval', "(require 'dap-mode)"])
    .status === 0;

/** What the page says about dap-mode: a reader copies it, so it is what is tried. */
function configuration(): string {
  const page = readFileSync(path.join(root, 'docs/editors.md'), 'utf8');
  const code = /The debugger for dap-mode:\n\n```elisp\n([^]*?)```/.exec(page)?.[1];
  assert.ok(code, 'docs/editors.md says how dap-mode is configured');
  return code;
}

describe('Emacs', function () {
  this.timeout(120_000);
  let folder: string;
  before(function () {
    if (!hasDapMode) this.skip(); // apt-get install emacs-nox elpa-dap-mode
    folder = mkdtempSync(path.join(tmpdir(), 'emacs-'));
  });
  after(() => {
    if (hasDapMode) rmSync(folder, { recursive: true });
  });

  it('stops at a breakpoint, steps, and steps back, in dap-mode', async () => {
    const { executable, source, marks } = program('bank.c');
    const mark = `CF_JOURNEY=emacs-${process.pid}`;
    const command = path.join(folder, 'chronofork');
    const cli = `'${process.execPath}' '${path.join(root, 'dist/cli.cjs')}'`;
    writeFileSync(command, `#!/bin/sh\nexport ${mark}\nexec ${cli} "$@"\n`);
    chmodSync(command, 0o755);
    const elisp = path.join(folder, 'chronofork.el');
    writeFileSync(elisp, `;;; -*- lexical-binding: t -*-\n${configuration()}`);
    const { stdout } = await promisify(execFile)('emacs', ['--batch', '-l', path.join(root, 'test/editors/emacs.el')], {
      timeout: 90_000,
      cwd: folder,
      env: {
        ...process.env,
        PATH: `${folder}:${process.env.PATH}`,
        HOME: folder,
        CF_TEMPORARY: folder,
        CF_CONFIGURATION: elisp,
        CF_SOURCE: source,
        CF_PROGRAM: executable,
        CF_LINE: String(marks.get('deposit')),
        CF_VARIABLE: 'account->balance',
      },
    });
    const seen = JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Record<string, unknown>;
    assert.deepEqual(seen, {
      breakpoint: marks.get('deposit'),
      there: '100',
      next: marks.get('deposit-history'),
      later: '110',
      back: marks.get('deposit'),
      earlier: '100',
    });
    await nothingLeft({ mark, temporary: '' });
  });
});
