/** Commands that install, and those that a sentence names. */
import assert from 'node:assert/strict';
import { commandIn, installCommand } from '../../../extension/firstSteps/installCommand.js';

describe('install commands', () => {
  it('are those of the package manager that is there', () => {
    assert.equal(
      installCommand('gdb', (path) => path === '/usr/bin/dnf'),
      'sudo dnf install gdb',
    );
    assert.equal(
      installCommand('gdb', (path) => path === '/usr/bin/apt-get'),
      'sudo apt-get install gdb',
    );
    assert.equal(
      installCommand('gdb', () => false),
      undefined,
    );
  });

  it('are found in a sentence', () => {
    const sentence = 'Install a newer one (Debian and Ubuntu: sudo apt-get install gdb; Fedora: sudo dnf install gdb).';
    assert.equal(commandIn(sentence), 'sudo apt-get install gdb');
    assert.equal(commandIn('Try: sudo sysctl kernel.yama.ptrace_scope=0.'), 'sudo sysctl kernel.yama.ptrace_scope=0');
    assert.equal(commandIn('Ask your administrator.'), undefined);
  });
});
