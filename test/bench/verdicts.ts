import type { Figures, Goal, Line, Row, RowResult } from './row.ts';

/** A goal and what came of it. */
export interface Verdict {
  readonly name: string;
  /** Our figure over, or less, the other's; null: it could not be measured. */
  readonly value: number | null;
  readonly bar: number;
  readonly met: boolean;
  /** How the value must lie to the bar, in words. */
  readonly demand: string;
}

/** Every goal of these rows. */
export function judge(results: readonly RowResult[]): readonly Verdict[] {
  return results.flatMap((result) =>
    result.row.lines.flatMap((line, index) =>
      line.goals.map((goal) =>
        verdictOn(goal, result.row, line, result.ok ? result.figures[index]! : undefined),
      ),
    ),
  );
}

/** What a line is called outside its row. */
export function fullTitle(row: Row, line: Line): string {
  return line.title === '' ? row.title : `${row.title}: ${line.title}`;
}

function verdictOn(goal: Goal, row: Row, line: Line, figures: Figures | undefined): Verdict {
  const { bar } = goal;
  const ours = figures?.ours ?? null;
  const other = figures?.[goal.against] ?? null;
  const value = ours === null || other === null ? null : compare(goal, ours, other);
  const holds = goal.holds === 'ratio at least' ? (value ?? 0) >= bar : (value ?? bar + 1) <= bar;
  return {
    name: `${fullTitle(row, line)}, ${goal.holds === 'excess at most' ? 'over' : '÷'} ${opponent(goal, row)}`,
    value,
    bar,
    met: value !== null && holds,
    demand: `${goal.holds === 'ratio at least' ? '≥' : '≤'} ${bar}${goal.holds === 'excess at most' ? ` ${line.unit}` : ''}`,
  };
}

function compare({ holds }: Goal, ours: number, other: number): number {
  return holds === 'excess at most' ? ours - other : ours / other;
}

function opponent({ against }: Goal, row: Row): string {
  switch (against) {
    case 'stock':
      return 'stock';
    case 'durable':
      return 'Durable Streams';
    case 'baseline':
      return row.baseline ?? 'baseline';
  }
}
