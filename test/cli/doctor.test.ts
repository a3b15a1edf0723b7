/** `chronofork doctor` on a machine where the other tests run: all that is required is there. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { chronofork } from './chronofork.js';

interface Report {
  version: string;
  ok: boolean;
  capabilities: { name: string; ok: boolean; detail: string; remedy: string; required: boolean }[];
}

describe('chronofork doctor', function () {
  this.timeout(60_000);

  it('says for people what works here', async () => {
    const { status, stdout } = await chronofork(['doctor']);
    equal(status, 0);
    match(stdout, /^ok +ptrace /m);
    match(stdout, /^ok +gdb 12 or later, with Python +\d+/m);
    match(stdout, /Chronofork can work here\.\n$/);
  });

  it('says the same for programs', async () => {
    const { status, stdout } = await chronofork(['doctor', '--json']);
    equal(status, 0);
    const report = JSON.parse(stdout) as Report;
    equal(report.ok, true);
    const names = report.capabilities.map(({ name }) => name);
    for (const name of ['ptrace', 'seccomp filter', 'PAGEMAP_SCAN', 'dirty pages']) ok(names.includes(name), name);
    const helpless = report.capabilities.filter((one) => !one.ok && one.remedy === '');
    deepEqual(helpless, [], 'what is absent has a remedy');
  });

  it('ends with 1, and says what helps, when something required is missing', async () => {
    const { status, stdout } = await chronofork(['doctor', '--gdb=/does/not/exist']);
    equal(status, 1);
    match(stdout, /^MISSING +gdb 12 or later[^\n]*\n +→ \S/m);
    match(stdout, /Chronofork cannot work here: 1 of what it needs is missing\.\n$/);
  });
});
