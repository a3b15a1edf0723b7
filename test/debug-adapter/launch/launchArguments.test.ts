/** What launch.json may say, and the sentence for each thing that it may not. */
import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import { checkLaunchArguments } from '../../../debug-adapter/launch/launchArguments.js';

function refusal(args: unknown): ChronoforkError {
  try {
    checkLaunchArguments(args);
  } catch (error) {
    assert.ok(error instanceof ChronoforkError);
    assert.equal(error.code, 'invalidLaunch');
    assert.equal(error.number, 1001);
    return error;
  }
  throw new assert.AssertionError({ message: 'it was accepted' });
}

describe('launchArguments', () => {
  it('fills in what is not said', () => {
    const config = checkLaunchArguments({ program: '/bin/true' });
    assert.deepEqual(
      { ...config, env: undefined, cwd: undefined },
      {
        program: '/bin/true',
        args: [],
        cwd: undefined,
        env: undefined,
        stopOnEntry: false,
        console: 'internalConsole',
        stdin: undefined,
        sourceMap: {},
        gdbPath: 'gdb',
        setupCommands: [],
        disableAslr: true,
        checkpointIntervalMs: 100,
        checkpointMemoryMb: 0,
        onEditedContinue: 'branch',
        followChildren: false,
        noDebug: false,
        outputLinks: false,
      },
    );
  });

  it('takes paths relative to cwd, and ~', () => {
    assert.equal(checkLaunchArguments({ program: 'bin/x', cwd: '/srv' }).program, '/srv/bin/x');
    assert.equal(checkLaunchArguments({ program: '~/x' }).program, `${homedir()}/x`);
    assert.equal(checkLaunchArguments({ program: 'x', cwd: '/srv', stdin: 'in.txt' }).stdin, '/srv/in.txt');
  });

  it('adds to the environment and takes away from it', () => {
    process.env.CHRONOFORK_TEST_OWN = '1';
    const { env } = checkLaunchArguments({ program: '/x', env: { GREETING: 'hi', HOME: null } });
    delete process.env.CHRONOFORK_TEST_OWN;
    assert.equal(env.GREETING, 'hi');
    assert.equal('HOME' in env, false);
    assert.equal('CHRONOFORK_TEST_OWN' in env, false);
    assert.equal(env.PATH, process.env.PATH);
  });

  it('takes setup commands in both forms', () => {
    const { setupCommands } = checkLaunchArguments({
      program: '/x',
      setupCommands: ['set print pretty on', { text: 'set foo', ignoreFailures: true }],
    });
    assert.deepEqual(setupCommands, [
      { text: 'set print pretty on', ignoreFailures: false },
      { text: 'set foo', ignoreFailures: true },
    ]);
  });

  const wrong: [Record<string, unknown> | string | null, RegExp][] = [
    [{}, /"program" is missing/],
    [{ program: 5 }, /"program" must be the path of an executable, but is 5/],
    [{ program: '/x', args: 'a b' }, /"args" must be a list of strings, but is "a b"/],
    [{ program: '/x', args: ['a', 1] }, /"args" must be a list of strings/],
    [{ program: '/x', env: ['A=1'] }, /"env" must be an object of strings/],
    [{ program: '/x', env: { A: 1 } }, /"env\.A" must be a string, or null to remove it/],
    [
      { program: '/x', console: 'xterm' },
      /"console" must be "internalConsole" or "integratedTerminal", but is "xterm"/,
    ],
    [{ program: '/x', stopOnEntry: 'yes' }, /"stopOnEntry" must be true or false/],
    [{ program: '/x', checkpoints: { intervalMs: -1 } }, /"intervalMs" must be a number of milliseconds/],
    [{ program: '/x', checkpoints: 5 }, /"checkpoints" must be an object/],
    [{ program: '/x', sourceMap: { '/a': 1 } }, /"sourceMap\.\/a" must be a path/],
    [{ program: '/x', setupCommands: [1] }, /"setupCommands\[0\]" must be a string/],
    [{ program: '/x', onEditedContinue: 'maybe' }, /"onEditedContinue" must be "ask", "branch" or "discard"/],
    [{ program: '/x', cwd: 5 }, /"cwd" must be a folder/],
    ['/x', /"arguments" must be an object/],
    [null, /"arguments" must be an object/],
  ];
  for (const [args, sentence] of wrong)
    it(`refuses ${JSON.stringify(args)}`, () => assert.match(refusal(args).message, sentence));
});
