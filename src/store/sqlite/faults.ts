import { codeOf, lineOf } from '../../lib/text/error-line.ts';

/**
 * Transient faults: a lock (BUSY, LOCKED), a full disk (FULL), a failing device (IOERR), lack of memory
 * (NOMEM), a file or mount that became read-only (READONLY), and a file that cannot be opened, which includes
 * a lack of file descriptors (CANTOPEN). Suffixes are SQLite's extended codes.
 * https://www.sqlite.org/rescode.html
 */
const PASSING = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|NOMEM|READONLY|CANTOPEN)(_|$)/;

/** Returns why SQLite cannot answer now, or null if the same call would fail again. */
export function sqliteReason(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = codeOf(error);
  return PASSING.test(code) ? lineOf(error) : null;
}
