import { CONTESTANTS, type RowResult } from './row.ts';
import { fullTitle, judge, type Verdict } from './verdicts.ts';

const HEADINGS = ['', 'ours', 'stock', 'Durable Streams', 'baseline', '', ''];
const LEFT = new Set([0, 5, 6]);
/** Above this, the client's own work may have been measured. */
const BUSY_CLIENT_CORES = 0.9;

/** Renders the results: figures of this run, and ratios, which alone are comparable with other runs. */
export function renderTable(results: readonly RowResult[]): string {
  const lines = results.flatMap((result) =>
    result.row.lines.map((line, index) => {
      const title = fullTitle(result.row, line);
      if (!result.ok) return [title, ...CONTESTANTS.map(() => '–'), line.unit, result.problem];
      const figures = CONTESTANTS.map((name) => figure(result.figures[index]![name]));
      return [title, ...figures, line.unit, result.row.baseline ?? ''];
    }),
  );
  const verdicts = judge(results);
  return [
    ...columns([HEADINGS, ...lines], LEFT),
    '',
    ...columns([['goal', '', 'bar', ''], ...verdicts.map(goalCells)], new Set([0, 2, 3])),
    '',
    ...notes(results, verdicts),
  ].join('\n');
}

/** Renders the results as the line of JSON for `--json`. */
export function renderJson(results: readonly RowResult[]): string {
  const goals = judge(results).map(({ name, value, bar, met }) => ({ name, value, bar, met }));
  const rows = results.flatMap((result) =>
    result.row.lines.map((line, index) => ({
      name: fullTitle(result.row, line),
      unit: line.unit,
      baselineIs: result.row.baseline,
      ...(result.ok ? result.figures[index] : { problem: result.problem }),
    })),
  );
  return JSON.stringify({ goals, rows });
}

function goalCells({ name, value, demand, met }: Verdict): string[] {
  return [name, value === null ? '–' : value.toFixed(2), demand, met ? 'met' : 'MISSED'];
}

function columns(rows: readonly (readonly string[])[], left: ReadonlySet<number>): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        left.has(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

function notes(results: readonly RowResult[], verdicts: readonly Verdict[]): string[] {
  const measured = results.flatMap((result) => (result.ok ? [result] : []));
  const busy = measured.flatMap(({ row, clientCores }) =>
    CONTESTANTS.filter((name) => !row.inClient && clientCores[name] > BUSY_CLIENT_CORES).map(
      (name) => `${row.title} (${name})`,
    ),
  );
  const growth = measured.flatMap(({ row, figures }) =>
    row.lines.flatMap((line, index) =>
      line.showsGrowth ? [`  ${fullTitle(row, line)}: ${figure(figures[index]!.ours)} ${line.unit}`] : [],
    ),
  );
  return [
    `${verdicts.filter(({ met }) => met).length} of ${verdicts.length} goals are met. Figures are medians of rounds taken in turn.`,
    'stock: Yoga, graphql-ws, Prisma interactive transaction with createMany, createPubSub.',
    'Durable Streams: its reference server’s file store, one HTTP append per batch with the bytes of the same JSON array.',
    busy.length > 0
      ? `The client may have slowed down: ${busy.join('; ')}.`
      : 'The client slowed no contestant down.',
    ...(growth.length > 0 ? ['How cost grows:', ...growth] : []),
  ];
}

function figure(value: number | null): string {
  if (value === null) return '–';
  return Math.abs(value) < 100 ? value.toFixed(2) : Math.round(value).toLocaleString('en-US');
}
