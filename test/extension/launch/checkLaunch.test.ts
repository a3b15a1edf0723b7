/** What is wrong with a launch configuration is said before anything starts. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkAttributes, checkedAttributes, checkPaths } from '../../../extension/launch/checkLaunch.js';

function messages(launch: Record<string, unknown>): string[] {
  return checkAttributes({ request: 'launch', program: '/bin/true', ...launch }).map((problem) => problem.message);
}

describe('checking the attributes of a launch configuration', () => {
  it('finds nothing wrong with a complete one', () => {
    const complete = {
      args: ['-v', ''],
      cwd: '/tmp',
      env: { LANG: 'C', REMOVED: null },
      stopOnEntry: true,
      console: 'integratedTerminal',
      stdin: 'input.txt',
      sourceMap: { '/build': '/src' },
      gdbPath: 'gdb',
      setupCommands: ['set print elements 500', { text: 'set pagination off', ignoreFailures: true }],
      disableAslr: false,
      checkpoints: { intervalMs: 50, memoryMb: 256 },
      onEditedContinue: 'ask',
    };
    assert.deepEqual(messages(complete), []);
  });

  it('says what each attribute must be and what it is', () => {
    const wrong: [string, unknown, RegExp][] = [
      ['program', 3, /"program" must be a string; it is 3\./],
      ['program', '', /"program" is missing/],
      ['args', '-v', /"args" must be a list of strings; it is "-v"\./],
      ['args', ['-n', 3], /"args" must be a list of strings; it is \["-n",3\]\./],
      ['env', ['A=1'], /"env" must be an object of strings/],
      ['env', { A: 1 }, /"env" must be an object of strings/],
      ['stopOnEntry', 'yes', /"stopOnEntry" must be true or false; it is "yes"\./],
      ['console', 'externalTerminal', /"console" must be "internalConsole" or "integratedTerminal"/],
      ['sourceMap', [], /"sourceMap" must be an object of strings/],
      ['setupCommands', [{ command: 'x' }], /"setupCommands" must be a list of gdb commands/],
      ['checkpoints', 100, /"checkpoints" must be an object/],
      [
        'checkpoints',
        { intervalMs: -1 },
        /"checkpoints.intervalMs" must be a number of milliseconds, 0 or more; it is -1/,
      ],
      ['checkpoints', { memoryMb: '1 GB' }, /"checkpoints.memoryMb" must be a number of megabytes/],
      ['onEditedContinue', 'maybe', /"onEditedContinue" must be "ask" or "branch" or "discard"/],
      ['request', 'open', /"request" must be "launch" or "attach"/],
      ['followChildren', 'all', /"followChildren" must be true or false; it is "all"\./],
    ];
    for (const [attribute, value, expected] of wrong) {
      const found = messages({ [attribute]: value });
      assert.equal(found.length, 1, `${attribute}: ${JSON.stringify(found)}`);
      assert.match(found[0] ?? '', expected);
    }
  });

  it('names every problem, not only the first', () => {
    assert.equal(messages({ args: 1, cwd: 2, program: undefined }).length, 3);
  });

  it('knows what attach may say', () => {
    const problems = (attach: Record<string, unknown>) =>
      checkAttributes({ request: 'attach', ...attach }).map(({ message }) => message);
    for (const pid of [1234, '1234', '${command:pickProcess}', '${input:which}'])
      assert.deepEqual(problems({ pid }), []);
    assert.deepEqual(problems({ processId: 7, program: '/bin/true', stopOnEntry: false, followChildren: true }), []);
    for (const pid of ['bank', -1, 1.5, [1]])
      assert.match(
        problems({ pid }).join(),
        /^"pid" must be the number of a process, or "\$\{command:pickProcess\}"; it is/,
      );
  });

  for (const request of ['launch', 'attach'] as const)
    it(`checks the attributes of ${request} that package.json describes, and no others`, () => {
      const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
      const { properties } = manifest.contributes.debuggers[0].configurationAttributes[request];
      const described = Object.entries<{ properties?: object }>(properties).flatMap(([name, { properties: inner }]) =>
        inner ? Object.keys(inner).map((key) => `${name}.${key}`) : [name],
      );
      assert.deepEqual(checkedAttributes(request).sort(), described.sort());
    });
});

describe('checking the paths of a launch configuration', () => {
  let folder = '';
  const at = (name: string): string => path.join(folder, name);

  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'chronofork-launch-'));
    writeFileSync(at('program'), '');
    chmodSync(at('program'), 0o755);
    writeFileSync(at('data'), '');
    chmodSync(at('data'), 0o644);
    writeFileSync(at('main.c'), '');
    chmodSync(at('main.c'), 0o755);
  });
  after(() => rmSync(folder, { recursive: true }));

  async function problems(launch: Record<string, unknown>): Promise<string[]> {
    return (await checkPaths(launch)).map((problem) => problem.message);
  }

  it('finds nothing wrong with files that are there, also relative to cwd', async () => {
    assert.deepEqual(await problems({ program: at('program'), cwd: folder, stdin: 'data', gdbPath: 'gdb' }), []);
    assert.deepEqual(await problems({ program: 'program', cwd: folder }), []);
  });

  it('says what is wrong with each path', async () => {
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ program: at('absent') }, /does not exist: .*absent\. Has it been built\?/],
      [{ program: folder }, /names a folder, not a program/],
      [{ program: at('data') }, /may not be executed: .*chmod \+x/],
      [{ program: at('main.c') }, /is not a program\. Name the built executable/],
      [{ program: at('program'), cwd: at('nowhere') }, /"cwd" names a folder that does not exist/],
      [{ program: at('program'), stdin: at('absent') }, /"stdin" names a file that cannot be read/],
      [{ program: at('program'), gdbPath: at('gdb') }, /"gdbPath" names a file that does not exist/],
    ];
    for (const [launch, expected] of wrong) {
      const found = await problems(launch);
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.match(found[0] ?? '', expected);
    }
  });
});
