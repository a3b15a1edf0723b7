/** A foreign editor: Neovim's own client of the language server, as Debian has it (docs/editors.md). */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/lib/run.mjs';
import { debugTest } from '../dsl/debugTest.js';

const hasNeovim = spawnSync('nvim', ['--version']).status === 0;

describe('Neovim', () => {
  before(function () {
    if (!hasNeovim) this.skip(); // apt-get install neovim
  });

  debugTest('lenses, a lens’s command and a hover in Neovim', 'bank.c', async (s) => {
    await s.walk('break print\nrun -> print');
    const [key = '', value = ''] = s.client.mark.split('=');
    const line = s.line('deposit-count') - 1;
    const character = readFileSync(s.program.source, 'utf8').split('\n')[line]!.indexOf('deposits') + 1;
    s.client.forget('stopped');
    const { stdout } = await promisify(execFile)(
      'nvim',
      ['--headless', '--clean', '-n', '-c', `luafile ${path.join(root, 'test/editors/neovim.lua')}`],
      {
        env: {
          ...process.env,
          [key]: value,
          CF_SOURCE: s.program.source,
          CF_HOVER: JSON.stringify({ line, character }),
          CF_LSP_COMMAND: JSON.stringify([
            process.execPath,
            '--import',
            path.join(root, 'node_modules/tsx/dist/loader.mjs'),
            path.join(root, 'debug-adapter/cli.ts'),
            'lsp',
          ]),
        },
      },
    );
    const shown = JSON.parse(stdout) as { lenses: string[]; hover: string };
    assert.deepEqual(shown.lenses.slice(0, 5), ['called 3 times', 'first', '← previous', 'next →', 'last']);
    assert.equal((await s.stopped()).text, 'deposit-first', 'the debugger has gone there');
    assert.equal(await s.evaluate('amount'), '30');
    assert.match(shown.hover, /\*\*`deposits`\*\* = `2`/);
  });
});
