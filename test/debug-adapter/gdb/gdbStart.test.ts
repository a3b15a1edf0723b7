/** Which gdb is accepted, and with which sentence the others are refused. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import { GdbAhead, gdbVersionIn, startGdb } from '../../../debug-adapter/gdb/gdbStart.js';

/** A program that answers MI like a gdb of that version, with those features, and notes its pid in FILE.pids. */
function scriptedGdb(folder: string, version: string, features: string[]): string {
  const file = path.join(folder, `gdb-${version}`);
  writeFileSync(
    file,
    `#!/usr/bin/env node
require('fs').appendFileSync(__filename + '.pids', process.pid + '\\n');
let rest = '';
process.stdin.on('data', data => {
  rest += data;
  for (let at; (at = rest.indexOf('\\n')) >= 0; rest = rest.slice(at + 1)) {
    const [, token, command] = /^(\\d*)(.*)$/.exec(rest.slice(0, at));
    if (command.includes('show version')) console.log('~"GNU gdb (GDB) ${version}\\\\n"');
    if (command.includes('-gdb-exit')) process.exit(0);
    const result = command.includes('-list-features') ? ',features=[${features.map((one) => `"${one}"`).join(',')}]' : '';
    console.log(token + '^done' + result + '\\n(gdb) ');
  }
});
process.stdin.on('end', () => process.exit(0));
`,
  );
  chmodSync(file, 0o755);
  return file;
}

async function pidsOf(gdb: string): Promise<number[]> {
  const text = () => (existsSync(`${gdb}.pids`) ? readFileSync(`${gdb}.pids`, 'utf8') : '');
  while (!text().endsWith('\n')) await new Promise((resolve) => setTimeout(resolve, 10));
  return text().trim().split('\n').map(Number);
}

async function isGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ChronoforkError, String(error));
  return error;
};

describe('gdbStart', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const banners: [string, string | undefined][] = [
    ['GNU gdb (Debian 13.1-3) 13.1\nCopyright (C) 2023', '13.1'],
    ['GNU gdb (Ubuntu 12.1-0ubuntu1~22.04.2) 12.1', '12.1'],
    ['GNU gdb (Fedora Linux) 15.2-2.fc41', '15.2'],
    ['GNU gdb (GDB) 15.0.50.20240403-git', '15.0.50.20240403'],
    ['GNU gdb 16.1', '16.1'],
    ['nothing like it', undefined],
  ];
  for (const [banner, expected] of banners)
    it(`finds the version in "${banner.split('\n')[0]}"`, () => assert.equal(gdbVersionIn(banner), expected));

  it('refuses a gdb that is not there, naming the package', async () => {
    const error = await codeOf(startGdb(path.join(folder, 'nowhere')));
    assert.equal(error.code, 'gdbMissing');
    assert.match(error.remedy, /apt-get install gdb/);
  });

  it('refuses an old gdb', async () => {
    const error = await codeOf(startGdb(scriptedGdb(folder, '11.2', ['python'])));
    assert.equal(error.code, 'gdbTooOld');
    assert.match(error.message, /gdb 11\.2 is too old: Chronofork needs gdb 12/);
  });

  it('refuses a gdb without Python', async () => {
    const error = await codeOf(startGdb(scriptedGdb(folder, '13.1', ['thread-info'])));
    assert.equal(error.code, 'gdbNoPython');
    assert.match(error.remedy, /gdb-minimal/);
  });

  it('refuses a program that is not gdb at all', async () => {
    const error = await codeOf(startGdb('/bin/true'));
    assert.equal(error.code, 'gdbCrashed');
  });

  describe('ahead of its launch', () => {
    let one: string;
    let other: string;
    beforeEach(() => {
      const own = mkdtempSync(path.join(folder, 'ahead-'));
      mkdirSync(path.join(own, 'other'));
      one = scriptedGdb(own, '13.1', ['python']);
      other = scriptedGdb(path.join(own, 'other'), '13.1', ['python']);
    });

    it('is the one that is taken', async () => {
      const ahead = new GdbAhead();
      ahead.start(one);
      const gdb = await ahead.take(one);
      const [pid] = await pidsOf(one);
      await ahead.drop();
      process.kill(pid!, 0);
      assert.equal((await pidsOf(one)).length, 1);
      await gdb.quit();
      await isGone(pid!);
    });

    it('is ended where another is wanted', async () => {
      const ahead = new GdbAhead();
      ahead.start(one);
      const gdb = await ahead.take(other);
      assert.equal((await pidsOf(other)).length, 1);
      await ahead.drop();
      await isGone((await pidsOf(one))[0]!);
      await gdb.quit();
      await isGone((await pidsOf(other))[0]!);
    });

    it('is ended where none is wanted', async () => {
      const ahead = new GdbAhead();
      ahead.start(one);
      await ahead.drop();
      await isGone((await pidsOf(one))[0]!);
    });

    it('tells who takes it what went wrong', async () => {
      const ahead = new GdbAhead();
      ahead.start(path.join(folder, 'nowhere'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal((await codeOf(ahead.take(path.join(folder, 'nowhere')))).code, 'gdbMissing');
    });
  });
});
