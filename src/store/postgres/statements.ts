/** The statements of the Postgres store. Each is prepared once per connection, named after its key. */

import { POSTGRES_DIALECT } from './named.ts';

const HEAD = `r.last_seq AS "lastSeq", r.last_source_seq AS "lastSourceSeq", r.last_t_ms AS "lastTMs",
  r.event_count AS "eventCount", r.server_events AS "serverEvents", r.data_bytes AS "dataBytes",
  r.terminal_seq AS "terminalSeq", r.removed_through AS "removedThrough", r.fence`;
const EVENT =
  'e.seq, e.source_seq AS "sourceSeq", e.t_ms AS "tMs", e.kind, e.data::text, e.committed_at AS "committedAt"';

const NOW_MS = POSTGRES_DIALECT.nowMs;
const SET_ASIDE = EVENT.replace('e.kind', `'runtime_terminal' AS kind`);

/** The columns of an event, with its size, and with its data only if the condition holds. */
const ofSize = (columns: string, condition: string) =>
  `${columns.replace('e.data::text', `CASE WHEN ${condition} THEN e.data::text END AS data`)},
    octet_length(e.data::text) AS bytes`;

/** The columns of an event found by its producer's `seq`, with its data only up to `asked.bytes` bytes. */
const FOUND = (columns: string) =>
  columns.replace(
    'e.data::text',
    'CASE WHEN octet_length(e.data::text) <= asked.bytes THEN e.data::text END AS data',
  );

/**
 * Reads one page and the head in one snapshot. A window function sums the sizes, so that the first event is
 * always included. In a strict page ($5 is 1, not 0) the event that exceeds the limit is the last and has no
 * data.
 */
function page(comparison: '>' | '<', order: 'ASC' | 'DESC'): string {
  return `SELECT ${HEAD}, ${ofSize(EVENT, '$5::int = 0 OR e.total <= $4')}
    FROM run r LEFT JOIN LATERAL (
      SELECT p.*, octet_length(p.data::text) AS bytes, sum(octet_length(p.data::text)) OVER (ORDER BY p.seq ${order}) AS total
      FROM (SELECT * FROM event WHERE run = r.key AND seq ${comparison} $2 ORDER BY seq ${order} LIMIT $3) p
    ) e ON e.total - e.bytes < $4::bigint + $5::int
    WHERE r.key = $1 ORDER BY e.seq ${order}`;
}

export const STATEMENTS = {
  insertRun: `INSERT INTO run (workspace, id, provider, runtime, title, labels, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace, id) DO NOTHING RETURNING key`,

  findRun: `SELECT r.key, r.workspace, r.id, r.provider, r.runtime, ${HEAD}
    FROM run r WHERE r.workspace = $1 AND r.id = $2`,

  readHeads: `SELECT r.key, ${HEAD} FROM run r WHERE r.key = ANY($1::int[])`,

  // A run does not end before the database's clock says so: retention goes by that clock, and a process may be
  // days behind. GREATEST ignores NULL, hence the CASE.
  //
  // Rows are locked before they are updated, and rows that another writer holds are skipped: otherwise
  // updates of the same runs by several processes deadlock. A skipped run is judged again, like a run whose
  // log has moved.
  commit: `WITH head AS (
      SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
          $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[])
        AS h(run, expected, last_seq, last_source_seq, last_t_ms, event_count, server_events, data_bytes,
          terminal_seq, started_at, ended_at, fence)
    ), locked AS (
      SELECT r.key FROM run r JOIN head h ON h.run = r.key AND h.expected = r.last_seq
        AND h.fence IS NOT DISTINCT FROM r.fence
      FOR UPDATE OF r SKIP LOCKED
    ), moved AS (
      UPDATE run r SET last_seq = h.last_seq, last_source_seq = h.last_source_seq, last_t_ms = h.last_t_ms,
          event_count = h.event_count, server_events = h.server_events, data_bytes = h.data_bytes,
          terminal_seq = h.terminal_seq,
          started_at = COALESCE(r.started_at, h.started_at),
          ended_at = COALESCE(r.ended_at, CASE WHEN h.ended_at IS NOT NULL THEN GREATEST(h.ended_at, ${NOW_MS}) END)
      FROM head h JOIN locked l ON l.key = h.run
      WHERE r.key = h.run
      RETURNING r.key
    ), stored AS (
      INSERT INTO event (run, seq, source_seq, t_ms, kind, data, committed_at)
      SELECT e.* FROM unnest($13::int[], $14::bigint[], $15::bigint[], $16::bigint[], $17::text[], $18::json[],
          $19::bigint[]) AS e(run, seq, source_seq, t_ms, kind, data, committed_at)
      JOIN moved m ON m.key = e.run
    )
    SELECT key FROM moved`,

  readAfter: page('>', 'ASC'),

  readBefore: page('<', 'DESC'),

  readProduced: `SELECT ${FOUND(EVENT)} FROM unnest($2::bigint[], $3::bigint[]) AS asked(n, bytes)
    JOIN LATERAL (
      SELECT * FROM event WHERE run = $1 AND seq BETWEEN n AND n + $4::bigint AND source_seq = n LIMIT 1
    ) e ON true
    UNION ALL SELECT ${FOUND(SET_ASIDE)} FROM terminal e
      JOIN unnest($2::bigint[], $3::bigint[]) AS asked(n, bytes) ON e.source_seq = asked.n
      WHERE e.run = $1
    ORDER BY seq`,

  readClock: `SELECT ${NOW_MS} AS "now"`,

  // The ORDER BY makes the planner use the index. Without it, the whole table was read for each run where
  // few runs have events.
  readEnded: `SELECT r.key, r.workspace, r.ended_at AS "endedAt",
      (SELECT e.seq FROM event e WHERE e.run = r.key ORDER BY e.seq LIMIT 1) IS NULL AS removed
    FROM run r WHERE (r.ended_at, r.key) > ($1::bigint, $2::int) AND r.ended_at < $3::bigint
    ORDER BY r.ended_at, r.key LIMIT $4`,

  // The last event's number, not the terminal event's minus one: numbers that were never used are not a gap.
  markRemoved: `UPDATE run r SET removed_through = l.seq
    FROM run k CROSS JOIN LATERAL (
      SELECT seq FROM event WHERE run = k.key AND seq < k.terminal_seq ORDER BY seq DESC LIMIT 1
    ) l
    WHERE k.key = $1 AND r.key = k.key AND r.removed_through < l.seq`,

  // The selected rows, not the deleted ones, say how far the step got: another process may have deleted some
  // first. Sizes are those of the stored form, so that nothing is decompressed only to be deleted.
  deleteRemoved: `WITH step AS (
      SELECT s.seq FROM (
        SELECT p.seq, p.bytes, sum(p.bytes) OVER (ORDER BY p.seq) AS total
        FROM (
          SELECT e.seq, pg_column_size(e.data) AS bytes FROM event e
          WHERE e.run = $1 AND e.seq > $2 AND e.seq <= (SELECT removed_through FROM run WHERE key = $1)
          ORDER BY e.seq LIMIT $3
        ) p
      ) s WHERE s.total - s.bytes < $4
    ), gone AS (
      DELETE FROM event e WHERE e.run = $1 AND e.seq > $2 AND e.seq <= (SELECT max(seq) FROM step)
    )
    SELECT max(seq) AS through FROM step`,

  setTerminalAside: `WITH left_over AS (
      DELETE FROM event e USING run r
      WHERE r.key = $1 AND e.run = r.key AND e.seq = r.terminal_seq
        AND e.seq = (SELECT b.seq FROM event b WHERE b.run = r.key ORDER BY b.seq LIMIT 1)
      RETURNING e.run, e.seq, e.source_seq, e.t_ms, e.data, e.committed_at
    )
    INSERT INTO terminal (run, seq, source_seq, t_ms, data, committed_at) SELECT * FROM left_over`,

  readTerminal: `SELECT ${ofSize(SET_ASIDE, '$3::int = 0 OR octet_length(e.data::text) <= $2::bigint')}
    FROM terminal e WHERE e.run = $1`,

  // Writes a record to the write-ahead log and commits durably, without a row in any table. A read-only
  // server cannot do even that, so this is checked first: `transaction_read_only` is on in a standby, too.
  ping: `SELECT CASE WHEN current_setting('transaction_read_only') = 'on' THEN true
      ELSE pg_logical_emit_message(true, 'runfeed', '') IS NULL END AS "readOnly"`,
} as const;

/** The name of one of {@link STATEMENTS}. */
export type StatementName = keyof typeof STATEMENTS;
