/** The machine's apt sources become source entries, in both formats that apt knows. */
import { equal } from 'node:assert/strict';
import { toSourceEntries } from '../../scripts/fetch-debian-source.mjs';

describe('toSourceEntries', () => {
  it('turns lines for binaries into lines for sources, and leaves out the rest', () => {
    const text =
      '# main\ndeb [signed-by=/k.gpg] http://mirror/debian bookworm main\ndeb-src http://mirror/debian x main\n# deb http://off/ y\n';
    equal(toSourceEntries(text, false), 'deb-src [signed-by=/k.gpg] http://mirror/debian bookworm main\n');
  });

  it('does the same with stanzas, and keeps their keys', () => {
    const text =
      'Types: deb\nURIs: http://mirror/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n\nTypes: deb-src\nURIs: http://other\n';
    equal(
      toSourceEntries(text, true),
      'Types: deb-src\nURIs: http://mirror/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n',
    );
  });

  it('is empty when there is nothing to turn', () => {
    equal(toSourceEntries('deb-src http://mirror/debian x main\n', false), '');
    equal(toSourceEntries('', true), '');
  });
});
