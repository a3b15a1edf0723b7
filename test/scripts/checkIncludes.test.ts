/** The layers of the core: what may include what, and what is noticed when it does not hold. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { findViolations } from '../../scripts/checkIncludes.mjs';

const violations = (
  sources: Record<string, string>,
  exists: (header: string, folder: string) => boolean = () => true,
) =>
  findViolations(
    Object.entries(sources).map(([file, text]) => ({ file, text })),
    exists,
  );

describe('checkIncludes', () => {
  it('allows what is below', () => {
    deepEqual(
      violations({ 'native/rsp/server.cc': '#include "timeline/debug_target.h"\n#include "base/log.h"\n' }),
      [],
    );
  });

  it('refuses what is above', () => {
    const found = violations({ 'native/tracee/tracee.cc': '// x\n#include "timeline/timeline.h"\n' });
    deepEqual(found, ['native/tracee/tracee.cc:2: tracee is below timeline and must not include it']);
  });

  it('allows siblings in one direction, and refuses a circle', () => {
    const oneWay = { 'native/replay/replay.cc': '#include "record/log.h"\n' };
    deepEqual(violations(oneWay), []);
    const found = violations({ ...oneWay, 'native/record/log.cc': '#include "replay/replay.h"\n' });
    equal(found.length, 1);
    match(found[0] ?? '', /replay → record → replay is a circle/);
  });

  it('keeps ptrace in tracee and Node in addon', () => {
    const found = violations({
      'native/record/a.cc': '#include <sys/ptrace.h>\n#include <napi.h>\n',
      'native/tracee/b.cc': '#include <sys/ptrace.h>\n',
      'native/addon/c.cc': '#include <napi.h>\n',
    });
    deepEqual(found, [
      'native/record/a.cc:1: only native/tracee calls ptrace',
      'native/record/a.cc:2: only native/addon knows Node',
    ]);
  });

  it('wants own headers by their whole name', () => {
    const found = violations({ 'native/base/log.cc': '#include "log.h"\n' }, () => false);
    match(found[0] ?? '', /there is no native\/log\.h/);
  });

  it('lets a test name a header beside it', () => {
    const beside = (_header: string, folder: string) => folder === 'test/native/rsp';
    deepEqual(violations({ 'test/native/rsp/a_test.cc': '#include "client.h"\n' }, beside), []);
    equal(violations({ 'native/rsp/a.cc': '#include "client.h"\n' }, beside).length, 1);
  });

  it('lets the tests include every layer', () => {
    deepEqual(violations({ 'test/native/a_test.cc': '#include "addon/x.h"\n#include <sys/ptrace.h>\n' }), []);
  });
});
