import { CONTESTANTS, type RowResult } from './row.ts';

const HEADINGS = ['', 'ours', 'stock', 'limit', '', 'ours ÷ stock', 'ours ÷ limit'];
/** Above this the client's own work may be what was measured. */
const BUSY_CLIENT_CORES = 0.9;

/** Prints what came out: figures of this run, and the ratios that alone can be compared with another run's. */
export function renderTable(results: readonly RowResult[]): string {
  const lines = results.map(({ row, medians: { ours, stock, limit } }) => [
    row.title,
    figure(ours),
    figure(stock),
    figure(limit),
    row.unit,
    ratio(ours, stock, row.bars.stock),
    ratio(ours, limit, row.bars.limit),
  ]);
  const cells = [HEADINGS, ...lines];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const text = cells.map((line) =>
    line
      .map((cell, column) =>
        column === 0 || column === 4 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  return [...text, '', ...notes(results)].join('\n');
}

function notes(results: readonly RowResult[]): string[] {
  const busy = results.flatMap(({ row, clientCores }) =>
    CONTESTANTS.filter((name) => clientCores[name] > BUSY_CLIENT_CORES).map(
      (name) => `${row.title} (${name})`,
    ),
  );
  const busiest = Math.max(0, ...results.flatMap(({ clientCores }) => Object.values(clientCores)));
  return [
    'In brackets: the bar. stock: Yoga, graphql-ws, Prisma interactive transaction with createMany, createPubSub.',
    'limit: for ingest bare SQL in one process, all writers’ batches of a turn in one durable commit; for fan-out a raw',
    'ws broadcast of one prepared buffer, a batch’s messages to one socket in one write, nothing stored.',
    'Every figure is the median of rounds taken in turn.',
    `The client took at most ${busiest.toFixed(2)} cores${busy.length > 0 ? `; it may have held back: ${busy.join(', ')}` : ''}.`,
  ];
}

function figure(value: number | null): string {
  return value === null ? '–' : Math.round(value).toLocaleString('en-US');
}

function ratio(ours: number | null, other: number | null, bar: number | undefined): string {
  if (ours === null || other === null) return '–';
  const quotient = (ours / other).toFixed(2);
  return bar === undefined ? quotient : `${quotient} (≥ ${bar})`;
}
