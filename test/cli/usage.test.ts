/** Asked wrongly, the command line says what it takes, and ends with 64. */
import { equal, match } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/lib/run.mjs';
import { chronofork } from './chronofork.js';

describe('chronofork', () => {
  it('says its version, which is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
    const { status, stdout } = await chronofork(['--version']);
    equal(status, 0);
    equal(stdout, `chronofork ${version}\n`);
  });

  for (const args of [['--help'], ['verify', '--help']])
    it(`says what it takes: ${args.join(' ')}`, async () => {
      const { status, stdout } = await chronofork(args);
      equal(status, 0);
      for (const command of ['dap', 'verify', 'doctor']) match(stdout, new RegExp(`chronofork ${command}`));
    });

  const wrong: [args: string[], complaint: RegExp][] = [
    [[], /a command is missing/],
    [['record'], /no command "record"/],
    [['dap', '--port', 'http'], /--port/],
    [['dap', '--port', '70000'], /--port/],
    [['dap', 'stdio'], /--port/],
    [['verify'], /needs a program/],
    [['verify', '--interval', 'often', '--', 'true'], /--interval needs a number/],
    [['verify', '--fast', '--', 'true'], /does not know --fast/],
    [['doctor', '--xml'], /does not know --xml/],
  ];
  for (const [args, complaint] of wrong) {
    it(`refuses: ${args.join(' ') || '(nothing)'}`, async () => {
      const { status, stdout, stderr } = await chronofork(args);
      equal(status, 64);
      equal(stdout, '');
      match(stderr, complaint);
      match(stderr, /Usage:/);
    });
  }
});
