/** Configurations of other debuggers, converted. */
import assert from 'node:assert/strict';
import { convertLaunch } from '../../../extension/firstSteps/convertLaunch.js';
import { checkAttributes } from '../../../extension/launch/checkLaunch.js';

describe('converting a launch configuration', () => {
  it('takes over what cppdbg and Chronofork have in common', () => {
    const { configuration, told } = convertLaunch({
      type: 'cppdbg',
      request: 'launch',
      name: 'App',
      program: '${workspaceFolder}/app',
      args: ['-v', '<', 'in.txt'],
      stopAtEntry: true,
      cwd: '${workspaceFolder}',
      environment: [{ name: 'A', value: '1' }],
      externalConsole: false,
      MIMode: 'gdb',
      miDebuggerPath: '/usr/bin/gdb',
      setupCommands: [
        { description: 'pretty', text: '-enable-pretty-printing', ignoreFailures: true },
        { text: 'set print elements 500' },
      ],
      sourceFileMap: { '/build': { editorPath: '/src', useForBreakpoints: true } },
      preLaunchTask: 'build',
    });
    assert.deepEqual(configuration, {
      type: 'chronofork',
      request: 'launch',
      name: 'App (Chronofork)',
      program: '${workspaceFolder}/app',
      stdin: 'in.txt',
      args: ['-v'],
      cwd: '${workspaceFolder}',
      env: { A: '1' },
      stopOnEntry: true,
      gdbPath: '/usr/bin/gdb',
      setupCommands: [{ text: 'set print elements 500' }],
      sourceMap: { '/build': '/src' },
      preLaunchTask: 'build',
    });
    assert.deepEqual(told, []);
    assert.deepEqual(checkAttributes(configuration), []);
  });

  it('says what has no counterpart, and what it does not know', () => {
    const { told } = convertLaunch({
      type: 'cppdbg',
      request: 'launch',
      name: 'App',
      program: 'app',
      coreDumpPath: 'core',
      miDebuggerServerAddress: 'board:3333',
      somethingNew: 1,
    });
    assert.deepEqual(
      told.map((sentence) => /“(\w+)”/.exec(sentence)?.[1]),
      ['coreDumpPath', 'miDebuggerServerAddress', 'somethingNew'],
    );
  });

  it('knows CodeLLDB and lldb-dap', () => {
    const lldb = convertLaunch({
      type: 'lldb',
      request: 'launch',
      name: 'Rust',
      program: 'target/debug/app',
      args: '--fast now',
      env: { RUST_BACKTRACE: '1' },
      terminal: 'integrated',
      stdio: ['in.txt', null, null],
      initCommands: ['settings set x'],
      sourceMap: { a: 'b' },
    });
    assert.deepEqual(lldb.configuration.args, ['--fast', 'now']);
    assert.equal(lldb.configuration.console, 'integratedTerminal');
    assert.equal(lldb.configuration.stdin, 'in.txt');
    assert.equal(lldb.told.length, 2);
    const dap = convertLaunch({
      type: 'lldb-dap',
      request: 'launch',
      name: 'App',
      program: 'app',
      env: ['A=1', 'B=x=y'],
      sourceMap: [['/build', '/src']],
    });
    assert.deepEqual(dap.configuration.env, { A: '1', B: 'x=y' });
    assert.deepEqual(dap.configuration.sourceMap, { '/build': '/src' });
  });

  it('attaches, and refuses what cannot be', () => {
    const attach = convertLaunch({ type: 'cppdbg', request: 'attach', name: 'A', processId: '${command:pickProcess}' });
    assert.equal(attach.configuration.pid, '${command:pickProcess}');
    assert.equal(
      convertLaunch({ type: 'lldb', request: 'attach', name: 'A' }).configuration.pid,
      '${command:pickProcess}',
    );
    assert.throws(() => convertLaunch({ type: 'lldb', request: 'custom', name: 'A' }), /no counterpart/);
    const cargo = { type: 'lldb', request: 'launch', name: 'A', cargo: { args: ['build'] } };
    assert.throws(() => convertLaunch(cargo), /names no program.*cargo/);
  });
});
