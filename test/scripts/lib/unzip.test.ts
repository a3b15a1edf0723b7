/** A VSIX can be unpacked with what Node has, and never outside of its folder. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { unzip } from '../../../scripts/lib/unzip.mjs';

/** A zip of one entry, as the format's note describes it; checksums are not looked at. */
function zipOf(name: string, content: string, deflate: boolean): Buffer {
  const data = deflate ? deflateRawSync(content) : Buffer.from(content);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  // An extra field that the directory does not have.
  local.writeUInt16LE(3, 28);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(deflate ? 8 : 0, 10);
  central.writeUInt32LE(data.length, 20);
  central.writeUInt16LE(name.length, 28);
  const head = Buffer.concat([local, Buffer.from(`${name}abc`), data]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(head.length, 16);
  return Buffer.concat([head, central, Buffer.from(name), end]);
}

describe('unzip', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'unzip-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  for (const deflate of [false, true]) {
    it(`unpacks ${deflate ? 'deflated' : 'stored'} entries`, () => {
      const zip = path.join(folder, 'a.zip');
      writeFileSync(zip, zipOf('extension/a.txt', 'moments and checkpoints', deflate));
      deepEqual(unzip(zip, folder), ['extension/a.txt']);
      equal(readFileSync(path.join(folder, 'extension/a.txt'), 'utf8'), 'moments and checkpoints');
    });
  }

  it('refuses an entry outside of the folder', () => {
    const zip = path.join(folder, 'a.zip');
    writeFileSync(zip, zipOf('../escaped.txt', 'x', false));
    throws(() => unzip(zip, folder), /escaped/);
  });

  it('refuses what is not a zip', () => {
    const zip = path.join(folder, 'a.zip');
    writeFileSync(zip, 'not a zip at all');
    throws(() => unzip(zip, folder), /not a zip/);
  });
});
