import { readOptions, USAGE } from './options.ts';
import { measure } from './rounds.ts';
import type { RowResult } from './row.ts';
import { allRows } from './rows.ts';
import { renderTable } from './table.ts';

const options = readOptions(process.argv.slice(2));
if (options === null) {
  process.stdout.write(USAGE);
} else {
  const results: RowResult[] = [];
  for (const row of allRows(options.postgresUrl)) {
    if (!row.title.includes(options.only)) continue;
    process.stderr.write(`${row.title} …\n`);
    results.push(await measure(row, options.pace));
  }
  process.stdout.write(`\n${renderTable(results)}\n`);
}
