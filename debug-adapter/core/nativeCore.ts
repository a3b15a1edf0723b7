/**
 * Loads the native core. The only place that does: everything else takes a
 * Core or a CoreModule, so that it can be tested without one.
 */
import { createRequire } from 'node:module';
import { ChronoforkError } from '../errors.js';
import { findResource } from '../resources.js';
import type { CoreModule } from './core.js';

/** @throws ChronoforkError 'coreMissing' */
export function loadNativeCore(): CoreModule {
  const path = findResource('build/chronofork.node', 'chronofork.node');
  if (!path)
    throw new ChronoforkError(
      'coreMissing',
      "Chronofork's native part is missing.",
      'In a checkout, build it with `npm run build`; otherwise install the extension again, for Linux on x86-64.',
    );
  try {
    return createRequire(path)(path) as CoreModule;
  } catch (error) {
    throw new ChronoforkError(
      'coreMissing',
      `Chronofork's native part cannot be loaded: ${error instanceof Error ? error.message : String(error)}.`,
      'It needs 64-bit x86 Linux; in a checkout, build it again with `npm run build`.',
    );
  }
}
