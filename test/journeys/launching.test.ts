/** What the options of launch do, and what may be done while the program runs. */
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { root } from '../../scripts/lib/run.mjs';
import { debugTest } from '../dsl/debugTest.js';
import { writeElf32 } from '../dsl/elf32.js';

type Modules = DebugProtocol.ModulesResponse['body'];
type Exited = DebugProtocol.ExitedEvent;

const programs = path.join(root, 'test/programs');
const builtElsewhere = ['-g', '-O0', `-fdebug-prefix-map=${programs}=/built/elsewhere`];

describe('launch', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  debugTest(
    'without debugging runs to the end, past breakpoints',
    'bank.c',
    { launch: { noDebug: true, stopOnEntry: true } },
    async (s) => {
      const breakpoint = await s.breakAt('deposit');
      assert.equal(breakpoint.verified, false);
      await s.client.request('configurationDone');
      assert.equal((await s.client.event<Exited>('exited')).exitCode, 0);
      await s.client.event('terminated');
      assert.equal(s.client.output.stdout, 'balance 160\n');
      assert.ok(!s.client.has('stopped'));
    },
  );

  debugTest(
    'without debugging says which signal ended the program',
    'crash.c',
    { launch: { noDebug: true } },
    async (s) => {
      await s.launch();
      await s.client.request('configurationDone');
      assert.equal((await s.client.event<Exited>('exited')).exitCode, 128 + 11);
      await s.client.event('terminated');
      assert.ok(!s.client.has('stopped'));
      assert.match(s.client.output.important ?? '', /SIGSEGV|Segmentation fault/i);
    },
  );

  debugTest(
    'finds sources where sourceMap says that they are',
    'bank.c',
    { flags: builtElsewhere, launch: { sourceMap: { '/built/elsewhere': programs } } },
    async (s) => {
      await s.walk(`
      break deposit
      run               -> deposit
      stepBack          -> deposit-first
      stepBack          -> call
    `);
      const { sources } = await s.client.request<DebugProtocol.LoadedSourcesResponse['body']>('loadedSources');
      assert.ok(
        sources.some((source) => source.path === s.program.source),
        JSON.stringify(sources),
      );
    },
  );

  debugTest('says what a program was replaced by that cannot be recorded', 'bank.c', async (s) => {
    const narrow = path.join(folder, 'narrow');
    writeElf32(narrow);
    await s.launch({ program: '/usr/bin/env', args: [narrow] });
    await s.client.request('configurationDone');
    await s.client.outputHas('important', `was replaced by ${narrow}, which is not a 64-bit x86 program`);
  });

  debugTest('says that sourceMap is missing', 'bank.c', { flags: builtElsewhere }, async (s) => {
    const breakpoint = await s.breakAt('deposit');
    assert.equal(breakpoint.verified, false);
    assert.match(breakpoint.message ?? '', /built elsewhere, set "sourceMap"/);
  });

  debugTest('begins in the folder that cwd names, with env added and taken away', 'bank.c', async (s) => {
    await s.launch({ program: '/usr/bin/env', args: ['pwd'], cwd: folder, env: { ADDED: 'yes', PWD: null } });
    assert.equal((await s.run()).text, 'exit 0');
    assert.equal(s.client.output.stdout, `${folder}\n`);
  });

  debugTest('changes no variable that env does not name', 'bank.c', { env: { KEPT: 'as it was' } }, async (s) => {
    await s.launch({ program: '/usr/bin/env', env: { ADDED: 'yes', HOME: null } });
    assert.equal((await s.run()).text, 'exit 0');
    const printed = (s.client.output.stdout ?? '').split('\n');
    assert.ok(printed.includes('ADDED=yes') && printed.includes('KEPT=as it was'), s.client.output.stdout);
    assert.ok(!printed.some((line) => /^(HOME|CHRONOFORK_)/.test(line)), s.client.output.stdout);
  });

  debugTest('is told of modules by the page', 'bank.c', async (s) => {
    await s.breakAt('start');
    await s.run();
    const all = await s.client.request<Modules>('modules');
    assert.equal(all.totalModules, all.modules.length);
    assert.ok(all.modules.length >= 3, 'the program, the loader and the C library');
    const page = await s.client.request<Modules>('modules', { startModule: 1, moduleCount: 1 });
    assert.deepEqual(page, { totalModules: all.totalModules, modules: all.modules.slice(1, 2) });
    const beyond = await s.client.request<Modules>('modules', { startModule: 1000, moduleCount: 1 });
    assert.deepEqual(beyond.modules, []);
  });
});

describe('while a step is under way', () => {
  debugTest('breakpoints are changed without ending it', 'rest.c', async (s) => {
    await s.walk(`
      break before
      run               -> before
      next              -> rest
    `);
    const { answer } = s.client.begin('next', { threadId: s.threadId });
    await answer;
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal((await s.breakAt('return')).verified, true);
      await s.clear('return');
    }
    assert.ok(!s.client.has('stopped'), 'it goes on');
    assert.equal((await s.stopped()).text, 'after');
    assert.equal(s.last?.body.reason, 'step');
    await s.walk(`
      value after       -> 40
      stepBack          -> rest
      next              -> after
    `);
  });

  debugTest('a breakpoint that it meets ends it', 'rest.c', async (s) => {
    await s.walk(`
      break rest
      run               -> rest
    `);
    await s.client.request('next', { threadId: s.threadId });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await s.breakAt('round');
    assert.equal((await s.stopped()).text, 'round');
    assert.equal(s.last?.body.reason, 'breakpoint');
    await s.walk(`
      stepBack          -> doze
      clear round
      stepOut           -> rest
    `);
  });

  debugTest('a pause ends it, where it is', 'rest.c', async (s) => {
    await s.walk(`
      break rest
      run               -> rest
    `);
    await s.client.request('next', { threadId: s.threadId });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await s.client.request('pause', { threadId: s.threadId });
    await s.stopped();
    assert.equal(s.last?.body.reason, 'pause');
    const names = (await s.stack()).map(({ name }) => name);
    assert.ok(names.includes('rest') && names.includes('main'), names.join());
    await s.walk(`
      reverseContinue   -> rest
      next              -> after
      value after       -> 40
      continue          -> exit 0
    `);
    assert.equal(s.client.output.stdout, '40\n');
  });
});

describe('a branch', () => {
  debugTest('begins where a variable was set in the past, and is gone back through', 'bank.c', async (s) => {
    await s.walk(`
      break deposit
      run               -> deposit
      continue          -> deposit
      continue          -> deposit
      reverseContinue   -> deposit
      value amount      -> 20
    `);
    const amount = (
      await s.client.request<DebugProtocol.ScopesResponse['body']>('scopes', { frameId: s.last?.stackFrame?.id })
    ).scopes[0]!.variablesReference;
    await s.client.request('setVariable', { variablesReference: amount, name: 'amount', value: '500' });
    assert.equal((await s.client.timeTravel('chronofork/present', {})).edited, true);
    await s.walk(`
      continue          -> deposit
      value amount      -> 30
      value account->balance -> 610
      reverseContinue   -> deposit
      value amount      -> 500
      reverseContinue   -> deposit
      value amount      -> 10
      continue          -> deposit
      continue          -> deposit
      value account->balance -> 610
      clear deposit
      stepBack          -> deposit-first
      stepBack          -> call
      value i           -> 3
      continue          -> exit 1
    `);
    assert.equal(s.client.output.stdout, 'balance 640\n');
    const { branches, live } = await s.client.timeTravel('chronofork/timeline', {});
    assert.equal(branches.length, 2);
    assert.equal(live, true);
  });
});
