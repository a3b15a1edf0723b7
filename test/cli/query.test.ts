/** `chronofork query` as a user runs it: answers, exit codes, what goes where. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { program } from '../dsl/programs.js';
import { chronofork } from './chronofork.js';

describe('chronofork query', function () {
  this.timeout(60_000);
  const queries = program('queries.c');
  const line = (mark: string) => queries.marks.get(mark)!;
  const ask = (...words: string[]) => chronofork(['query', ...words, '--', queries.executable]);

  it('counts hits; the program prints to standard error', async () => {
    const { status, stdout, stderr } = await ask('hit-counts', queries.source);
    equal(status, 0, stderr);
    match(stdout, new RegExp(`^ +12  line ${line('add')}$`, 'm'));
    match(stdout, new RegExp(`^ +41  line ${line('base')}$`, 'm'));
    match(stderr, /^13 /m);
  });

  it('shows past values, of some hits', async () => {
    const place = `${queries.source}:${line('keep')}`;
    const { status, stdout, stderr } = await ask('values', place, 'total', '--if', 'i < 3');
    equal(status, 0, stderr);
    deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((row) => row.trim().split(/ ms +/)[1]),
      ['0', '1', '4'],
    );
  });

  it('logs the past, as JSON', async () => {
    const { status, stdout, stderr } = await ask('log', `${queries.source}:${line('keep')}`, '{i} is {said}', '--json');
    equal(status, 0, stderr);
    const { rows } = JSON.parse(stdout) as { rows: { text: string }[] };
    deepEqual([rows.length, rows[3]?.text], [12, '3 is odd']);
  });

  it('shows writes with their stack, calls with what they return, and differences', async () => {
    const writes = await ask('writes', 'incoming', '--stack', '2');
    equal(writes.status, 0, writes.stderr);
    match(writes.stdout, /0 -> 4711 {2}by a system call/);
    match(writes.stdout, /receive/);
    const calls = await ask('calls', 'fibonacci', '--count', '3');
    equal(calls.status, 1);
    match(calls.stdout, /fibonacci\(n=7\) = 13\n/);
    match(calls.stderr, /41 rows in all/);
    const diff = await ask('diff');
    match(diff.stdout, /^0x[0-9a-f]+ total: 0 -> 13$/m);
  });

  it('says what it does not understand', async () => {
    equal((await chronofork(['query'])).status, 64);
    equal((await chronofork(['query', 'calls', 'fibonacci'])).status, 64);
    equal((await ask('values', 'nowhere', 'total')).status, 64);
    const { status, stderr } = await ask('calls', 'nobody');
    equal(status, 2);
    match(stderr, /no function nobody/);
  });
});
