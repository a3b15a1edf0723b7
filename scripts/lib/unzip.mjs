/**
 * Unpacks a zip file (a VSIX is one), so that the packaged extension can be
 * tried without a program for it. Stored and deflated entries only, no zip64:
 * that is what vsce writes.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';

/**
 * @param {string} zipFile
 * @param {string} intoDir
 * @returns {string[]} the names of the files, as in the zip
 * @throws {Error} when it is not a zip, or an entry would land outside of `intoDir`
 */
export function unzip(zipFile, intoDir) {
  const bytes = readFileSync(zipFile);
  const end = bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0) throw new Error(`${zipFile} is not a zip file.`);
  const count = bytes.readUInt16LE(end + 10);
  const names = [];
  for (let i = 0, at = bytes.readUInt32LE(end + 16); i < count; i++) {
    const method = bytes.readUInt16LE(at + 10);
    const packedBytes = bytes.readUInt32LE(at + 20);
    const nameBytes = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameBytes);
    const mode = bytes.readUInt32LE(at + 38) >>> 16;
    const local = bytes.readUInt32LE(at + 42);
    // The local header's own lengths count: its extra field may differ from the directory's.
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    at += 46 + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    if (name.endsWith('/')) continue;
    const target = path.resolve(intoDir, name);
    if (!target.startsWith(path.resolve(intoDir) + path.sep)) throw new Error(`${zipFile} holds ${name}.`);
    mkdirSync(path.dirname(target), { recursive: true });
    const packed = bytes.subarray(start, start + packedBytes);
    writeFileSync(target, method === 0 ? packed : inflateRawSync(packed));
    if (mode & 0o111) chmodSync(target, 0o755);
    names.push(name);
  }
  return names;
}
