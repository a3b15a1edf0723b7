/**
 * What can go wrong for reasons that are not ours: each has a stable code, one
 * sentence for the user, and what helps. session.ts turns them into numbered
 * DAP errors; everything else that is thrown is a bug and is logged as one.
 */
import type { CoreError } from './core/core.js';

/** DAP error numbers: stable, so that clients and bug reports can name them. Never reuse one. */
const numbers: Record<string, number> = {
  invalidLaunch: 1001,
  programMissing: 1002,
  programNotExecutable: 1003,
  programNotElf: 1004,
  programNot64Bit: 1005,
  programSetuid: 1006,
  cwdMissing: 1007,
  stdinMissing: 1008,
  processMissing: 1009,
  familyGone: 1010,
  notHandedOver: 1011,
  gdbMissing: 1101,
  gdbTooOld: 1102,
  gdbNoPython: 1103,
  gdbCrashed: 1104,
  gdbRefused: 1105,
  coreMissing: 1201,
  coreFailed: 1202,
  terminalFailed: 1301,
  notLaunched: 1401,
  running: 1402,
  unknownRequest: 1403,
  invalidArguments: 1404,
  alreadyLaunched: 1405,
  evaluateFailed: 1501,
  notInMemory: 1502,
  cannotStepBack: 1601,
  cancelled: 1602,
  nothingChanged: 1603,
  queryForgotten: 1604,
  momentForgotten: 1605,
  editedPresent: 1606,
  noCode: 1607,
  noSuchFunction: 1608,
  notCompilable: 1609,
  internal: 1999,
};

/** An expected failure, with advice. */
export class ChronoforkError extends Error {
  override readonly name = 'ChronoforkError';

  /**
   * @param code     stable, camelCase
   * @param message  one sentence: what could not be done, and why
   * @param remedy   one sentence: what the user can do; may be empty
   */
  constructor(
    readonly code: string,
    message: string,
    readonly remedy = '',
  ) {
    super(message);
  }

  /** The core's codes that are not listed share a number; their `code` says more. */
  get number(): number {
    return numbers[this.code] ?? 1200;
  }

  /** Both sentences, for a place that shows only one text. */
  get text(): string {
    return this.remedy ? `${this.message} ${this.remedy}` : this.message;
  }
}

/** A ChronoforkError as it is; an error of the core as one; undefined for anything else. */
export function expectedError(error: unknown): ChronoforkError | undefined {
  if (error instanceof ChronoforkError) return error;
  if (error instanceof Error && 'code' in error && 'remedy' in error) {
    const { code, message, remedy } = error as CoreError;
    return new ChronoforkError(String(code), message, String(remedy));
  }
  return undefined;
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return expectedError(error)?.text ?? (error instanceof Error ? error.message : String(error));
}
