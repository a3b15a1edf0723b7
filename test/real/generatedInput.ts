/**
 * What bzip2 compresses and sqlite3 executes: made by a fixed generator, the
 * same every time, instead of megabytes in the repository.
 */

/** Numbers below 2^32, by xorshift; the same sequence every time. */
function randomNumbers(): () => number {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Words drawn from a vocabulary, some far more often than others: text, as far as a compressor can see. */
export function randomText(lengthBytes: number): string {
  const random = randomNumbers();
  const word = () =>
    Array.from({ length: 2 + (random() % 9) }, () => String.fromCharCode(97 + (random() % 26))).join('');
  const vocabulary = Array.from({ length: 4000 }, word);
  const parts: string[] = [];
  for (let written = 0; written < lengthBytes;) {
    // A product of two numbers prefers the front of the vocabulary.
    const chosen = vocabulary[Math.floor(((random() % 4000) * (random() % 4000)) / 4000)] ?? '';
    parts.push(chosen, random() % 11 === 0 ? '\n' : ' ');
    written += chosen.length + 1;
  }
  return parts.join('').slice(0, lengthBytes);
}

// Rows that are inserted in one transaction; then one in a transaction of its own, which syncs the file.
const batchRows = 99;

/** Inserts into two tables, most of them in transactions, and two joins. */
export function shopStatements(insertCount: number): string {
  const random = randomNumbers();
  const customers = Math.floor(insertCount / 10);
  const lines = [
    'CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);',
    'CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER, amount REAL, note TEXT);',
    'CREATE INDEX purchase_customer ON purchase (customer);',
  ];
  for (let i = 0; i < insertCount; i++) {
    const place = i % (batchRows + 1);
    if (place === 0) lines.push('BEGIN;');
    lines.push(
      i < customers
        ? `INSERT INTO customer VALUES (${i}, 'customer ${random() % 100000}', 'city ${random() % 40}');`
        : `INSERT INTO purchase VALUES (${i}, ${random() % customers}, ${(random() % 100000) / 100}, 'note ${random()}');`,
    );
    if (place === batchRows - 1 || i === insertCount - 1) lines.push(place === batchRows ? '' : 'COMMIT;');
  }
  lines.push(
    'SELECT city, count(*), round(sum(amount), 2) FROM customer JOIN purchase ON purchase.customer = customer.id GROUP BY city ORDER BY city;',
    'SELECT a.note FROM purchase a JOIN purchase b ON a.note = b.note WHERE a.id <> b.id ORDER BY a.id LIMIT 5;',
    'SELECT name, max(amount) FROM customer LEFT JOIN purchase ON purchase.customer = customer.id GROUP BY name ORDER BY 2 DESC LIMIT 10;',
    'PRAGMA integrity_check;',
  );
  return lines.join('\n') + '\n';
}
