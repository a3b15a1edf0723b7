/** How a line that was reached so often looks. Pure. */

export type Heat = 'never' | 'usual' | 'hot';

/** Fewer rounds are no hot loop, however little the rest did. */
const hotFrom = 100;
/** Of the most that any line of the file was reached. */
const hotShare = 0.1;

export function heatOf(count: number, most: number): Heat {
  if (count === 0) return 'never';
  return count >= hotFrom && count >= most * hotShare ? 'hot' : 'usual';
}

/** Four characters at most, and a sign: 999×, 12.3k×, 504M×. */
export function shortCount(count: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let unit = 0;
  let rest = count;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : 1;
  return `${rest.toFixed(digits).replace(/\.0$/, '')}${units[unit]}×`;
}
