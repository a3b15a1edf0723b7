/**
 * The programs whose recording and replaying is measured: what each does, how
 * much of it, and what we want. Each takes about a second natively, with
 * `--quick` a tenth of that.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { findCommand } from '../scripts/lib/requirements.mjs';
import { root } from '../scripts/lib/run.mjs';
import { buildFolder, mustRun, NotMeasurable, ownProgram } from './measure.js';

export interface Workload {
  name: string;
  about: string;
  program: string;
  args: string[];
  input?: string;
  /** Before each run: what the last one has left. */
  prepare?: () => void;
  /** recorded/native and replay/native that we want at most. */
  aims: { recorded: number; replay: number };
  /** Of rr with software counters, on a machine like those we build on; from the project's design notes. */
  peers?: string;
}

interface Recipe {
  name: string;
  make: (share: number) => Promise<Workload> | Workload;
}

const times = (share: number, whole: number) => String(Math.max(1, Math.round(share * whole)));

function installed(command: string, packageName: string): string {
  const found = findCommand(command);
  if (!found) throw new NotMeasurable(`There is no ${command}: apt-get install ${packageName}.`);
  return found;
}

/** Text that can be compressed about as well as source code: words by a hash, with repetitions. */
function textFile(megabytes: number): string {
  const file = path.join(buildFolder, `text-${megabytes}.txt`);
  const bytes = megabytes << 20;
  if (existsSync(file) && statSync(file).size >= bytes) return file;
  const words = Array.from({ length: 4096 }, (_, i) =>
    createHash('md5').update(String(i)).digest('base64').slice(0, 7),
  );
  const output = openSync(file, 'w');
  let random = 1;
  for (let written = 0; written < bytes;) {
    let block = '';
    while (block.length < 1 << 16) {
      random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
      block += `${words[(random >>> 8) & (random & 1 ? 63 : 4095)]} `;
    }
    written += writeSync(output, block);
  }
  closeSync(output);
  return file;
}

/** Fills a table in a file, ten rows in a transaction, then asks and changes. */
function sqlScript(transactions: number): string {
  const file = path.join(buildFolder, `rows-${transactions}.sql`);
  const lines = ['PRAGMA synchronous = OFF;', 'CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER);'];
  for (let i = 0; i < transactions; i++) {
    const rows = Array.from(
      { length: 10 },
      (_, j) => `('item ${(i * 7919 + j) % 10007}', ${(i * 31 + j * 17) % 1000})`,
    );
    lines.push(`INSERT INTO item (name, price) VALUES ${rows.join(', ')};`);
  }
  lines.push('CREATE INDEX by_name ON item (name);');
  for (let i = 0; i < transactions / 4; i++)
    lines.push(`SELECT count(*), sum(price) FROM item WHERE name = 'item ${i % 10007}';`);
  lines.push('SELECT substr(name, 6, 2) AS part, avg(price) FROM item GROUP BY part ORDER BY part;');
  writeFileSync(file, lines.join('\n') + '\n');
  return file;
}

/** The interpreter itself: a shim in front of it (pyenv) would be measured too. */
async function python(): Promise<string> {
  const { stdout } = await mustRun(installed('python3', 'python3'), ['-c', 'import sys; print(sys.executable)']);
  return stdout.trim();
}

export const recipes: readonly Recipe[] = [
  {
    name: 'cpu',
    make: (share) => ({
      name: 'CPU loop',
      about: 'arithmetic in registers',
      program: ownProgram('cpu_loop'),
      args: [times(share, 550)],
      aims: { recorded: 1.03, replay: 1.2 },
      peers: 'rr.soft 1.07–1.26',
    }),
  },
  {
    name: 'calls',
    make: (share) => ({
      name: 'recursive calls',
      about: 'a function that calls itself',
      program: ownProgram('recursive_calls'),
      args: [String(Math.round(43 + Math.log(share) / Math.log(1.618)))],
      aims: { recorded: 1.03, replay: 1.2 },
      peers: 'rr.soft 1.07–1.26',
    }),
  },
  {
    name: 'heap',
    make: (share) => ({
      name: 'heap of 512 MiB',
      about: '16 MiB of it written again and again',
      program: ownProgram('heap'),
      args: ['512', '16', times(share, 600)],
      aims: { recorded: 1.25, replay: 1.2 },
      peers: 'rr.soft 1.01',
    }),
  },
  {
    name: 'smallCalls',
    make: (share) => ({
      name: 'a million small calls',
      about: 'read, write and clock in turn',
      program: ownProgram('small_calls'),
      args: [times(share, 1_000_000)],
      aims: { recorded: 3, replay: 1 },
      peers: 'rr.soft 4.6, without its buffer 260',
    }),
  },
  {
    name: 'threads',
    make: (share) => ({
      name: '4 threads, one mutex',
      about: 'short critical sections',
      program: ownProgram('mutex_threads'),
      args: [times(share, 300_000)],
      aims: { recorded: 4, replay: 4 },
      peers: 'rr.soft 7.6',
    }),
  },
  {
    name: 'sqlite',
    make: (share) => {
      const database = path.join(buildFolder, 'rows.db');
      return {
        name: 'sqlite3',
        about: 'a table in a file, ten rows in a transaction',
        program: installed('sqlite3', 'sqlite3'),
        args: [database],
        input: sqlScript(Math.round(share * 4000)),
        prepare: () => {
          for (const suffix of ['', '-journal']) rmSync(database + suffix, { force: true });
        },
        aims: { recorded: 1.3, replay: 1.2 },
        peers: 'rr.soft 4.7',
      };
    },
  },
  {
    name: 'lua',
    make: (share) => ({
      name: 'Lua',
      about: 'strings formatted and sorted',
      program: installed('lua5.4', 'lua5.4'),
      args: [path.join(root, 'bench/programs/sort_strings.lua'), times(share, 130)],
      aims: { recorded: 1.3, replay: 1.2 },
    }),
  },
  {
    name: 'gzip',
    make: (share) => ({
      name: 'gzip',
      about: 'text compressed to nowhere',
      program: installed('gzip', 'gzip'),
      args: ['-c'],
      input: textFile(Math.max(2, Math.round(share * 24))),
      aims: { recorded: 1.3, replay: 1.2 },
      peers: 'rr.soft 2.45',
    }),
  },
  {
    name: 'python',
    make: async (share) => ({
      name: 'python3',
      about: 'words counted, sorted and matched',
      program: await python(),
      args: [path.join(root, 'bench/programs/words.py'), times(share, 350)],
      aims: { recorded: 1.3, replay: 1.2 },
      peers: 'rr.soft 11.5; its replay 11',
    }),
  },
];
