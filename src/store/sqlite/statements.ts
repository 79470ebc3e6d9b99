import type { Database, Statement } from '../sqlite-file/driver.ts';
import type { Append, EndedRun, FoundEvent, Head, NewRun, RunRecord, StoredEvent } from '../store.ts';
import type { EventValue } from './packing.ts';

const HEAD = `last_seq AS lastSeq, last_source_seq AS lastSourceSeq, last_t_ms AS lastTMs,
  event_count AS eventCount, server_events AS serverEvents, data_bytes AS dataBytes,
  terminal_seq AS terminalSeq, removed_through AS removedThrough, fence`;
const EVENT = 'seq, source_seq AS sourceSeq, t_ms AS tMs, kind, data, committed_at AS committedAt';

/** Data of more UTF-8 bytes is not read with its page but separately, once its size is known to fit. */
const LARGE_DATA_BYTES = 64 * 1024;
const PAGE_EVENT = EVENT.replace(
  ' data,',
  ` CASE WHEN octet_length(data) <= ${LARGE_DATA_BYTES} THEN data END AS data,`,
);
const FOUND_EVENT = EVENT.replace(' data,', ' CASE WHEN octet_length(data) <= ? THEN data END AS data,');
const SET_ASIDE = (columns: string) => columns.replace(' kind,', ` 'runtime_terminal' AS kind,`);

type MoveHead = Head & Pick<Append, 'run' | 'expectedLastSeq' | 'startedAt' | 'endedAt'>;
/** Events that one statement inserts if a batch has enough of them: 1.5 times as fast as one at a time. */
export const ROWS_AT_ONCE = 16;

/** SQLite has no booleans. */
type EndedRow = Omit<EndedRun, 'removed'> & { readonly removed: 0 | 1 };

/** An event of a page. `data` is null if it is large. */
export type PageRow = StoredEvent | (Omit<StoredEvent, 'data'> & { readonly data: null });

/** Every statement of the SQLite store, compiled once. */
export interface Statements {
  readonly insertRun: Statement<NewRun>;
  readonly findRun: Statement<[workspace: string, id: string], RunRecord>;
  readonly readHead: Statement<[run: number], Head>;
  readonly moveHead: Statement<MoveHead>;
  readonly insertEvent: Statement<EventValue[]>;
  /** Inserts {@link ROWS_AT_ONCE} events. */
  readonly insertEvents: Statement<EventValue[]>;
  readonly readAfter: Statement<[run: number, after: number, limit: number], PageRow>;
  readonly readBefore: Statement<[run: number, before: number, limit: number], PageRow>;
  readonly readSize: Statement<[run: number, seq: number], number>;
  readonly readData: Statement<[run: number, seq: number], string>;
  readonly findProduced: Statement<
    [maxDataBytes: number, run: number, first: number, last: number, sourceSeq: number],
    FoundEvent
  >;
  readonly readEnded: Statement<[endedAt: number, key: number, before: number, limit: number], EndedRow>;
  readonly markRemoved: Statement<[run: number]>;
  readonly readSizes: Statement<
    [run: number, after: number, through: number, limit: number],
    { readonly seq: number; readonly bytes: number }
  >;
  readonly deleteEvents: Statement<[run: number, after: number, through: number]>;
  readonly copyTerminal: Statement<[run: number]>;
  readonly readTerminal: Statement<[run: number], StoredEvent>;
  readonly findTerminal: Statement<[maxDataBytes: number, run: number], FoundEvent>;
  readonly readTerminalPage: Statement<[run: number], PageRow>;
  readonly readTerminalSize: Statement<[run: number], number>;
}

/** Compiles the statements against an open, migrated database. */
export function prepareStatements(database: Database): Statements {
  return {
    insertRun: database.prepare(
      `INSERT INTO run (workspace, id, provider, runtime, title, labels, created_at)
       VALUES (@workspace, @id, @provider, @runtime, @title, @labels, @createdAt)
       ON CONFLICT (workspace, id) DO NOTHING`,
    ),
    findRun: database.prepare(
      `SELECT key, workspace, id, provider, runtime, ${HEAD} FROM run WHERE workspace = ? AND id = ?`,
    ),
    readHead: database.prepare(`SELECT ${HEAD} FROM run WHERE key = ?`),
    moveHead: database.prepare(
      `UPDATE run SET last_seq = @lastSeq, last_source_seq = @lastSourceSeq, last_t_ms = @lastTMs,
         event_count = @eventCount, server_events = @serverEvents, data_bytes = @dataBytes,
         terminal_seq = @terminalSeq,
         started_at = COALESCE(started_at, @startedAt), ended_at = COALESCE(ended_at, @endedAt)
       WHERE key = @run AND last_seq = @expectedLastSeq AND fence IS @fence`,
    ),
    insertEvent: database.prepare(insertEvents(1)),
    insertEvents: database.prepare(insertEvents(ROWS_AT_ONCE)),
    readAfter: database.prepare(
      `SELECT ${PAGE_EVENT} FROM event WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    readBefore: database.prepare(
      `SELECT ${PAGE_EVENT} FROM event WHERE run = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
    ),
    // Only the length, which SQLite reads from the header of the row without the text.
    readSize: database
      .prepare<[number, number], number>('SELECT octet_length(data) FROM event WHERE run = ? AND seq = ?')
      .pluck(),
    readData: database
      .prepare<[number, number], string>('SELECT data FROM event WHERE run = ? AND seq = ?')
      .pluck(),
    findProduced: database.prepare(
      `SELECT ${FOUND_EVENT} FROM event WHERE run = ? AND seq BETWEEN ? AND ? AND source_seq = ? LIMIT 1`,
    ),
    readEnded: database.prepare(
      `SELECT key, workspace, ended_at AS endedAt,
         NOT EXISTS (SELECT 1 FROM event WHERE run = key) AS removed
       FROM run WHERE (ended_at, key) > (?, ?) AND ended_at < ? ORDER BY ended_at, key LIMIT ?`,
    ),
    // The last event's number, not the terminal event's minus one: numbers never used are not a gap.
    markRemoved: database.prepare(
      `UPDATE run SET removed_through = last.seq
       FROM (SELECT key AS run, (SELECT max(seq) FROM event WHERE run = key AND seq < terminal_seq) AS seq
             FROM run WHERE key = ?) AS last
       WHERE key = last.run AND removed_through < last.seq`,
    ),
    readSizes: database.prepare(
      `SELECT seq, octet_length(data) AS bytes FROM event
       WHERE run = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    ),
    deleteEvents: database.prepare('DELETE FROM event WHERE run = ? AND seq > ? AND seq <= ?'),
    copyTerminal: database.prepare(
      `INSERT INTO terminal (run, seq, source_seq, t_ms, data, committed_at)
       SELECT run, seq, source_seq, t_ms, data, committed_at FROM event
       WHERE run = ? AND kind = 'runtime_terminal'
         AND NOT EXISTS (SELECT 1 FROM event before WHERE before.run = event.run AND before.seq < event.seq)`,
    ),
    readTerminal: database.prepare(`SELECT ${SET_ASIDE(EVENT)} FROM terminal WHERE run = ?`),
    findTerminal: database.prepare(`SELECT ${SET_ASIDE(FOUND_EVENT)} FROM terminal WHERE run = ?`),
    readTerminalPage: database.prepare(`SELECT ${SET_ASIDE(PAGE_EVENT)} FROM terminal WHERE run = ?`),
    readTerminalSize: database
      .prepare<[number], number>('SELECT octet_length(data) FROM terminal WHERE run = ?')
      .pluck(),
  };
}

function insertEvents(count: number): string {
  const rows = Array(count).fill('(?, ?, ?, ?, ?, ?, ?)').join(', ');
  return `INSERT INTO event (run, seq, source_seq, t_ms, kind, data, committed_at) VALUES ${rows}`;
}
