import { codeOf, lineOf } from '../../lib/error-line.ts';

/**
 * What may pass: a lock (BUSY, LOCKED), a full disk (FULL), a device that fails (IOERR), no memory (NOMEM), a file or
 * mount that became read-only (READONLY), and a file that cannot be opened, also for want of descriptors (CANTOPEN).
 * The parts behind these are SQLite's extended codes. https://www.sqlite.org/rescode.html
 */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|NOMEM|READONLY|CANTOPEN)(_|$)/;

/** Why SQLite cannot answer now; null when the same call would fail again. */
export function sqliteReason(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = codeOf(error);
  return PASSING.test(code) ? lineOf(error) : null;
}
