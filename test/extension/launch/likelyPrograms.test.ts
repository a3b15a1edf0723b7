/** The program of a source file is found where the usual build tools put it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { foldersUpTo, likelyPrograms } from '../../../extension/launch/likelyPrograms.js';

const executable = 2;
const sharedObject = 3;
const relocatable = 1;

describe('likely programs', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(path.join(os.tmpdir(), 'chronofork-programs-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function file(name: string, contents: string | Buffer = '', minutesAgo = 0): string {
    const full = path.join(root, name);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, contents);
    const when = Date.now() / 1000 - minutesAgo * 60;
    utimesSync(full, when, when);
    return full;
  }

  function program(name: string, minutesAgo = 0, elfType = executable): string {
    const header = Buffer.alloc(64);
    header.write('\x7fELF', 'latin1');
    header.writeUInt16LE(elfType, 16);
    const full = file(name, header, minutesAgo);
    chmodSync(full, 0o755);
    return full;
  }

  async function found(source: string | undefined): Promise<string[]> {
    return (await likelyPrograms(source, root)).map((candidate) => path.relative(root, candidate.path));
  }

  it('offers the one with the source file’s name first, then the one built last', async () => {
    const source = file('src/bank.c');
    program('src/bank', 30);
    program('build/other', 20);
    program('newest', 1);
    assert.deepEqual(await found(source), ['src/bank', 'newest', 'build/other']);
  });

  it('finds what CMake, meson, make and Cargo build', async () => {
    const source = file('app/src/main.rs');
    program('app/target/debug/app', 1);
    program('app/target/debug/examples/demo', 2);
    program('build/src/tool', 3);
    program('builddir/tool2', 4);
    file('my-own-folder/CMakeCache.txt');
    program('my-own-folder/sub/tool3', 5);
    assert.deepEqual(await found(source), [
      'app/target/debug/app',
      'app/target/debug/examples/demo',
      'build/src/tool',
      'builddir/tool2',
      'my-own-folder/sub/tool3',
    ]);
  });

  it('takes programs only: no libraries, objects, scripts, or files that may not be executed', async () => {
    const source = file('a.c');
    program('pie', 1, sharedObject);
    program('libthing.so', 1, sharedObject);
    program('libthing.so.1.2', 1, sharedObject);
    program('a.o', 1, relocatable);
    program('object-without-suffix', 1, relocatable);
    chmodSync(program('not-executable'), 0o644);
    chmodSync(file('run', '#!/bin/sh\n'), 0o755);
    chmodSync(file('short', 'x'), 0o755);
    program('build/CMakeFiles/probe');
    assert.deepEqual(await found(source), ['pie']);
  });

  it('says when a program was built before the source file was saved', async () => {
    const source = file('bank.c', '', 10);
    program('bank', 20);
    program('fresh', 5);
    const candidates = await likelyPrograms(source, root);
    assert.deepEqual(
      candidates.map((candidate) => [path.basename(candidate.path), candidate.olderThanSource]),
      [
        ['bank', true],
        ['fresh', false],
      ],
    );
  });

  it('looks in the whole workspace folder’s usual places when no source is open', async () => {
    program('tool');
    assert.deepEqual(await found(undefined), ['tool']);
    assert.deepEqual(await likelyPrograms(undefined, undefined), []);
  });

  it('goes up to the workspace folder and no further', () => {
    assert.deepEqual(foldersUpTo('/a/b/c', '/a'), ['/a/b/c', '/a/b', '/a']);
    assert.deepEqual(foldersUpTo('/a', '/a'), ['/a']);
    assert.deepEqual(foldersUpTo('/elsewhere/x', '/a'), ['/elsewhere/x']);
    assert.deepEqual(foldersUpTo('/ab/x', '/a'), ['/ab/x']);
  });
});
