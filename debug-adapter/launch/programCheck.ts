/**
 * Whether a file is something the core can run, found out by reading its
 * first bytes: so that the sentence names the file and the reason, where
 * execve() would only say a number.
 */
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync, type Stats } from 'node:fs';
import { basename } from 'node:path';
import { ChronoforkError } from '../errors.js';

const elfMagic = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const elfClass64 = 2;
const machineX86_64 = 62;
const elfExecutable = 2;
const elfShared = 3;

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES')
      throw new ChronoforkError(
        'programMissing',
        `The program "${path}" cannot be reached: permission denied.`,
        'Check the permissions of its folders.',
      );
    throw new ChronoforkError(
      'programMissing',
      `The program "${path}" does not exist.`,
      'Build it first, or correct "program" in launch.json.',
    );
  }
}

function firstBytes(path: string): Buffer {
  const bytes = Buffer.alloc(64);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    throw new ChronoforkError(
      'programNotExecutable',
      `The program "${path}" cannot be read.`,
      `Allow it: chmod +r ${path}`,
    );
  }
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function checkExecutable(path: string, stats: Stats): void {
  if (stats.isDirectory())
    throw new ChronoforkError(
      'programNotExecutable',
      `"${path}" is a folder, not a program.`,
      'Set "program" to the executable inside it.',
    );
  try {
    accessSync(path, constants.X_OK);
    if (!stats.isFile() || (stats.mode & 0o111) === 0) throw new Error();
  } catch {
    throw new ChronoforkError(
      'programNotExecutable',
      `The program "${path}" is not executable.`,
      `Make it so: chmod +x ${path}`,
    );
  }
  if (stats.mode & 0o6000 && process.getuid?.() !== 0)
    throw new ChronoforkError(
      'programSetuid',
      `The program "${path}" is setuid or setgid, and the kernel does not let such a program be traced with its privileges.`,
      'Debug a copy of it without the setuid bit.',
    );
}

function checkFormat(path: string, head: Buffer): void {
  if (head[0] === 0x23 && head[1] === 0x21) {
    const interpreter = head.toString('latin1').split('\n')[0]!.slice(2).trim().split(/\s+/)[0] ?? '';
    throw new ChronoforkError(
      'programNotElf',
      `"${path}" is a script, not a program.`,
      `Set "program" to its interpreter (${interpreter}) and put "${path}" first in "args".`,
    );
  }
  if (head.length < 20 || !head.subarray(0, 4).equals(elfMagic))
    throw new ChronoforkError(
      'programNotElf',
      `"${path}" is not an ELF executable.`,
      `Build the program for Linux, and set "program" to what the linker wrote.`,
    );
  const machine = head.readUInt16LE(18);
  if (head[4] !== elfClass64 || machine !== machineX86_64)
    throw new ChronoforkError(
      'programNot64Bit',
      `"${path}" is ${head[4] === elfClass64 ? 'for another processor' : 'a 32-bit program'}; Chronofork debugs 64-bit x86 programs.`,
      'Build it without -m32, for x86-64.',
    );
  const type = head.readUInt16LE(16);
  if (type !== elfExecutable && type !== elfShared)
    throw new ChronoforkError(
      'programNotElf',
      `"${path}" is an object file or a core dump, not a program.`,
      'Link it first.',
    );
}

/**
 * @returns the path with symbolic links resolved, as the kernel will name it
 * @throws ChronoforkError 'programMissing', 'programNotExecutable', 'programNotElf', 'programNot64Bit', 'programSetuid'
 */
export function checkProgram(path: string): string {
  const stats = statOf(path);
  checkExecutable(path, stats);
  checkFormat(path, firstBytes(path));
  return realpathSync(path);
}

/** @throws ChronoforkError 'cwdMissing' */
export function checkFolder(path: string): void {
  let isFolder = false;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    isFolder = false;
  }
  if (!isFolder)
    throw new ChronoforkError(
      'cwdMissing',
      `The working folder "${path}" does not exist.`,
      'Correct "cwd" in launch.json.',
    );
}

/** A short name for messages. */
export function programName(path: string): string {
  return basename(path);
}
