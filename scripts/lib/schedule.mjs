/**
 * Runs jobs, some at a time, each after those that it names. A job marked
 * `alone` waits until nothing runs and lets nothing begin beside it: for
 * suites that measure time.
 */

/**
 * @template {{ name: string, after: string[], alone?: boolean }} Job
 * @param {Job[]} jobs names in `after` that are not among the jobs count as done
 * @param {number} atOnce
 * @param {(job: Job) => Promise<void>} run must not reject
 * @returns {Promise<void>} when all have ended
 */
export async function runAll(jobs, atOnce, run) {
  const waiting = [...jobs];
  /** @type {Map<string, { job: Job, ended: Promise<void> }>} */
  const running = new Map();
  /** @param {Job} job */
  const isReady = (job) => {
    if (running.size >= atOnce) return false;
    if ([...running.values()].some((other) => other.job.alone)) return false;
    if (job.alone && running.size > 0) return false;
    return job.after.every((name) => !running.has(name) && !waiting.some((other) => other.name === name));
  };
  while (waiting.length > 0 || running.size > 0) {
    // A job that wants to be alone goes first when it is next in line, or it would wait for ever.
    const next = waiting.findIndex(
      (job, index) => isReady(job) && !waiting.slice(0, index).some((other) => other.alone),
    );
    if (next >= 0) {
      const [job] = waiting.splice(next, 1);
      const ended = run(job).finally(() => running.delete(job.name));
      running.set(job.name, { job, ended });
      continue;
    }
    if (running.size === 0) throw new Error(`Circle among the jobs: ${waiting.map((job) => job.name).join(', ')}`);
    await Promise.race([...running.values()].map(({ ended }) => ended));
  }
}
