/** Machines, limits and files that are against us: a sentence with a remedy, or work as far as it goes; never a hang. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { debugTest, type Journey, type JourneyOptions } from '../dsl/debugTest.js';
import { asOrdinaryUser, otherProcesses, readableCopy } from '../dsl/ordinaryUser.js';
import { program } from '../dsl/programs.js';

/** The adapter where the kernel forbids a system call. */
function without(call: string): JourneyOptions {
  return { command: (usual) => [program('forbid.c').executable, call, ...usual] };
}

function ordinaryUser(...limits: string[]): JourneyOptions {
  // Its log goes to stderr: the usual file is not its own.
  return { command: () => asOrdinaryUser(...limits), env: { CHRONOFORK_LOG_FILE: '' } };
}

async function refusedLaunch(s: Journey): Promise<{ code: string | undefined; message: string }> {
  await s.client.request('initialize', { adapterID: 'chronofork' });
  return s.client.refusal('launch', { program: s.program.executable });
}

async function launchCopy(s: Journey, args: string[] = [], more: object = {}): Promise<void> {
  await s.launch({ program: readableCopy(s.program.executable), cwd: '/', args, ...more });
}

describe('in hostile surroundings', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  debugTest('where tracing is forbidden, launch says so', 'bank.c', without('ptrace'), async (s) => {
    const { code, message } = await refusedLaunch(s);
    assert.equal(code, 'ptraceForbidden');
    assert.match(message, /does not allow tracing.*--cap-add=SYS_PTRACE/);
  });

  debugTest('where filters are forbidden, launch says so', 'bank.c', without('filter'), async (s) => {
    const { code, message } = await refusedLaunch(s);
    assert.equal(code, 'seccompForbidden');
    assert.match(message, /refuses the seccomp filter.*In a container, allow/);
  });

  debugTest('without userfaultfd it works in another way', 'bank.c', without('userfaultfd'), async (s) => {
    await s.walk(`
      break deposit-end
      run               -> deposit-end
      stepBack          -> deposit-return
      continue          -> deposit-end
    `);
  });

  debugTest('an ordinary user has all of it', 'bank.c', ordinaryUser(), async (s) => {
    await launchCopy(s);
    await s.walk(`
      break deposit-end
      run               -> deposit-end
      stepBack          -> deposit-return
      reverseContinue   -> beginning at _start [ld-linux-x86-64.so.2]:0
      continue          -> deposit-end
    `);
  });

  debugTest('a setuid program is refused to an ordinary user', 'bank.c', ordinaryUser(), async (s) => {
    await s.client.request('initialize', { adapterID: 'chronofork' });
    const { id, message } = await s.client.refusal('launch', { program: '/usr/bin/passwd' });
    assert.equal(id, 1006);
    assert.match(message, /setuid.*Debug a copy/);
  });

  // The limit counts the threads of node and of gdb as well, which has one for each processor.
  const fewProcesses = ordinaryUser(`--nproc=${40 + cpus().length}`);
  debugTest(
    'where no more processes may be made, the program goes on, and the user is told',
    'longRun.c',
    fewProcesses,
    async (s) => {
      await launchCopy(s, ['2'], { checkpoints: { intervalMs: 1 } });
      await s.walk(`
      break done
      run               -> done
    `);
      assert.match(s.client.output.important ?? '', /limit of processes.*The program goes on/);
      await s.walk(`
      stepBack          -> loop
      next              -> done
      continue          -> exit 0
    `);
    },
  );

  debugTest('where others take the processes, older checkpoints give way', 'longRun.c', fewProcesses, async (s) => {
    await launchCopy(s, ['2'], { checkpoints: { intervalMs: 1 } });
    await s.walk(`
      break done
      run               -> done
    `);
    const before = (await s.client.timeTravel('chronofork/timeline', {})).checkpoints.length;
    const end = otherProcesses(12);
    try {
      await s.walk(`
        stepBack          -> loop
        reverseContinue   -> beginning at _start [ld-linux-x86-64.so.2]:0
        continue          -> done
      `);
    } finally {
      end();
    }
    const after = (await s.client.timeTravel('chronofork/timeline', {})).checkpoints.length;
    assert.ok(after > 1 && after < before, `${before} checkpoints, then ${after}`);
  });

  debugTest(
    'a program that may make no more processes itself is taken back all the same',
    'limited.c',
    ordinaryUser(),
    async (s) => {
      await launchCopy(s, ['processes']);
      await s.walk(`
      break told
      run               -> told
      stepBack          -> take
      next              -> told
      continue          -> exit 0
    `);
      assert.equal(s.client.output.stdout, 'memory\n');
    },
  );

  for (const [what, answer] of [
    ['memory', 'no memory'],
    ['files', 'memory'],
  ])
    debugTest(
      `a program that limits its ${what} can be taken back`,
      'limited.c',
      { launch: { args: [what] } },
      async (s) => {
        await s.walk(`
        break told
        run               -> told
        stepBack          -> take
        next              -> told
        next              -> flush
        stepBack          -> told
        continue          -> exit 0
      `);
        assert.equal(s.client.output.stdout, `${answer}\n`);
      },
    );

  debugTest('a budget that holds nothing is said once, and is no end', 'longRun.c', async (s) => {
    await s.launch({ args: ['1'], checkpoints: { memoryMb: 0.001 } });
    await s.walk(`
      break done
      run               -> done
      stepBack          -> loop
      reverseContinue   -> beginning at _start [ld-linux-x86-64.so.2]:0
      continue          -> done
    `);
    const told = (s.client.output.important ?? '').match(/memory for checkpoints is used up/g) ?? [];
    assert.equal(told.length, 1);
  });

  for (const [what, remove] of [
    ['deleted', (file: string) => rmSync(file)],
    ['moved away', (file: string) => renameSync(file, `${file}.elsewhere`)],
    ['replaced', (file: string) => (rmSync(file), copyFileSync('/bin/true', file))],
  ] as const)
    debugTest(`a program that is ${what} while it runs is debugged on`, 'bank.c', async (s) => {
      const file = path.join(folder, `bank-${what.replace(/\W/g, '')}`);
      copyFileSync(s.program.executable, file);
      await s.launch({ program: file });
      await s.walk(`
        break start
        run               -> start
      `);
      remove(file);
      await s.walk(`
        break deposit
        continue          -> deposit
        value amount      -> 10
        stepBack          -> deposit-first
        stepBack          -> call
        seek begin        -> beginning at _start [ld-linux-x86-64.so.2]:0
        continue          -> start
        clear deposit
        continue          -> exit 0
      `);
      assert.equal(s.client.output.stdout, 'balance 160\n');
    });
});
