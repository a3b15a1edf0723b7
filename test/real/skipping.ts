/** Tests of real programs are skipped, and counted, where their sources cannot be had. */
import type { Context } from 'mocha';
import { SourceUnavailable } from '../../scripts/fetch-debian-source.mjs';
import { realProgram, type Optimisation, type RealName, type RealProgram } from './realPrograms.js';

/** For a `before` hook: the program, or all tests of the suite are skipped, with the reason on stdout. */
export async function realProgramOrSkip(
  context: Context,
  name: RealName,
  optimisation: Optimisation,
): Promise<RealProgram> {
  try {
    return await realProgram(name, optimisation);
  } catch (error) {
    if (!(error instanceof SourceUnavailable)) throw error;
    console.log(`skipped: ${name}: ${error.message}`);
    return context.skip();
  }
}
