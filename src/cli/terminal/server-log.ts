import { type Logger, pino } from 'pino';
import type { Config } from '../../config/env.ts';
import { createLineWriter } from './line-writer.ts';

/**
 * Creates the log of a server: lines of JSON on standard error. A line that cannot be written is dropped. Pino's
 * own destination must not be used: it retries without end, and blocks the process when it exits.
 */
export function createServerLog(level: Config['logLevel']): Logger {
  return pino({ level }, createLineWriter(2, noteOf));
}

/** Whatever the level is: lines of that level were lost. */
function noteOf(lost: number): string {
  const lines: string[] = [];
  const notes = pino({}, { write: (line: string) => void lines.push(line) });
  notes.warn({ lost }, 'log lines were lost: standard error could not be written');
  return lines.join('');
}
