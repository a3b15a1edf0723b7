/** What is no program that can be debugged, and why. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChronoforkError } from '../../../debug-adapter/errors.js';
import { checkFolder, checkProgram } from '../../../debug-adapter/launch/programCheck.js';

describe('programCheck', () => {
  let folder: string;
  const file = (name: string, bytes: Buffer | string, mode = 0o755) => {
    const made = path.join(folder, name);
    writeFileSync(made, bytes);
    chmodSync(made, mode);
    return made;
  };
  const refusal = (program: string) => {
    try {
      checkProgram(program);
    } catch (error) {
      assert.ok(error instanceof ChronoforkError, String(error));
      assert.ok(error.remedy !== '', 'there is a remedy');
      return error;
    }
    throw new assert.AssertionError({ message: `${program} was accepted` });
  };
  const elf = readFileSync('/bin/true').subarray(0, 4096);
  const changed = (offset: number, ...bytes: number[]) => {
    const copy = Buffer.from(elf);
    copy.set(bytes, offset);
    return copy;
  };

  before(() => (folder = mkdtempSync(path.join(tmpdir(), 'chronofork-test-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('accepts a program, and names what a link points to', () => {
    const link = path.join(folder, 'link');
    symlinkSync('/bin/true', link);
    assert.equal(checkProgram(link), realpathSync('/bin/true'));
  });

  it('refuses what is not there', () => {
    const error = refusal(path.join(folder, 'nowhere'));
    assert.equal(error.code, 'programMissing');
    assert.match(error.message, /does not exist/);
  });

  it('refuses a folder', () => {
    mkdirSync(path.join(folder, 'sub'));
    assert.match(refusal(path.join(folder, 'sub')).message, /is a folder/);
  });

  it('refuses what is not executable, with the command that makes it so', () => {
    const error = refusal(file('plain', elf, 0o644));
    assert.equal(error.code, 'programNotExecutable');
    assert.match(error.remedy, /chmod \+x/);
  });

  it('refuses a script, naming its interpreter', () => {
    const error = refusal(file('script', '#!/usr/bin/python3 -u\nprint(1)\n'));
    assert.equal(error.code, 'programNotElf');
    assert.match(error.remedy, /\/usr\/bin\/python3/);
  });

  it('refuses what is no program, or too short to be one', () => {
    assert.match(refusal(file('text', 'hello')).message, /not an ELF executable/);
    assert.match(refusal(file('empty', '')).message, /not an ELF executable/);
    assert.match(refusal(file('short', elf.subarray(0, 10))).message, /not an ELF executable/);
  });

  it('refuses a 32-bit program and one for another processor', () => {
    assert.match(refusal(file('bits', changed(4, 1))).message, /32-bit/);
    assert.match(refusal(file('arm', changed(18, 0xb7, 0))).message, /another processor/);
  });

  it('refuses an object file', () => {
    assert.match(refusal(file('object', changed(16, 1, 0))).message, /object file/);
  });

  it('refuses a setuid program, unless root asks', function () {
    const copy = path.join(folder, 'setuid');
    copyFileSync('/bin/true', copy);
    chmodSync(copy, 0o4755);
    const getuid = process.getuid!;
    process.getuid = () => 1000;
    try {
      assert.equal(refusal(copy).code, 'programSetuid');
    } finally {
      process.getuid = getuid;
    }
  });

  it('refuses a working folder that is not there', () => {
    assert.throws(() => checkFolder(path.join(folder, 'nowhere')), /working folder .* does not exist/);
    checkFolder(folder);
  });
});
