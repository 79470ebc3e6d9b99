import type { Figures, Goal, Line, Row, RowResult } from './row.ts';

/** A goal and its result. */
export interface Verdict {
  readonly name: string;
  /**
   * The ratio of this server's figure to the other's, their difference, or the figure itself. Null if it
   * could not be measured.
   */
  readonly value: number | null;
  readonly bar: number;
  readonly met: boolean;
  /** The required relation to the bar, in words. */
  readonly demand: string;
}

/** Returns every goal of these rows. */
export function judge(results: readonly RowResult[]): readonly Verdict[] {
  return results.flatMap((result) =>
    result.row.lines.flatMap((line, index) =>
      line.goals.map((goal) =>
        verdictOn(goal, result.row, line, result.ok ? result.figures[index]! : undefined),
      ),
    ),
  );
}

/** Returns the name of a line outside its row. */
export function fullTitle(row: Row, line: Line): string {
  return line.title === '' ? row.title : `${row.title}: ${line.title}`;
}

function verdictOn(goal: Goal, row: Row, line: Line, figures: Figures | undefined): Verdict {
  const { bar } = goal;
  const value = figureOf(goal, figures);
  const isFloor = goal.holds === 'ratio at least' || goal.holds === 'at least';
  const holds = isFloor ? (value ?? 0) >= bar : (value ?? bar + 1) <= bar;
  const inUnits = goal.holds === 'excess at most' || goal.against === null;
  return {
    name: `${fullTitle(row, line)}${comparison(goal, row)}`,
    value,
    bar,
    met: value !== null && holds,
    demand: `${isFloor ? '≥' : '≤'} ${bar}${inUnits ? ` ${line.unit}` : ''}`,
  };
}

function figureOf(goal: Goal, figures: Figures | undefined): number | null {
  const ours = figures?.ours ?? null;
  if (ours === null || goal.against === null) return ours;
  const other = figures?.[goal.against] ?? null;
  if (other === null) return null;
  return goal.holds === 'excess at most' ? ours - other : ours / other;
}

function comparison(goal: Goal, row: Row): string {
  if (goal.against === null) return '';
  return `, ${goal.holds === 'excess at most' ? 'over' : '÷'} ${opponent(goal.against, row)}`;
}

function opponent(against: NonNullable<Goal['against']>, row: Row): string {
  switch (against) {
    case 'stock':
      return 'stock';
    case 'durable':
      return 'Durable Streams';
    case 'baseline':
      return row.baseline ?? 'baseline';
  }
}
