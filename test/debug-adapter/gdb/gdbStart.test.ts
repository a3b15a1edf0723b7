/** Which gdb is accepted, and with which sentence the others are refused. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import { gdbVersionIn, startGdb } from '../../../debug-adapter/gdb/gdbStart.js';

/** A program that answers MI like a gdb of that version, with those features. */
function scriptedGdb(folder: string, version: string, features: string[]): string {
  const file = path.join(folder, `gdb-${version}`);
  writeFileSync(
    file,
    `#!/usr/bin/env node
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
});
