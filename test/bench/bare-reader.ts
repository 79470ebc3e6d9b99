import pg from 'pg';
import { Database } from '../../src/store/sqlite-file/driver.ts';

// The minimum cost of a replay: every row of a run, read in pages and written as JSON, but not sent.

/** A request of the benchmark: read the first `events` events of a run. */
export interface BareReadOrder {
  readonly runId: string;
  readonly events: number;
}

const PAGE = 1_024;
const EVENTS = 'SELECT seq, t_ms AS "tMs", kind, data FROM event';

type ReadPage = (
  runId: string,
  after: number,
  before: number,
) => Promise<readonly { seq: number | string }[]>;

async function openReader(url: string): Promise<ReadPage> {
  if (url.startsWith('file:')) {
    const database = new Database(url.slice('file:'.length), { readonly: true });
    const statement = database.prepare<[string, number, number], { seq: number }>(
      `${EVENTS} WHERE run = (SELECT key FROM run WHERE id = ?) AND seq > ? AND seq < ? ORDER BY seq LIMIT ${PAGE}`,
    );
    return async (...range) => statement.all(...range);
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // As text, because parsing what is stringified next would not be the minimum.
  const text = `${EVENTS.replace('data FROM', 'data::text AS data FROM')}
    WHERE run = (SELECT key FROM run WHERE id = $1) AND seq > $2 AND seq < $3 ORDER BY seq LIMIT ${PAGE}`;
  return async (...range) =>
    (await client.query<{ seq: string }>({ name: 'page', text, values: range })).rows;
}

async function read(readPage: ReadPage, { runId, events }: BareReadOrder): Promise<number> {
  const startedAt = performance.now();
  let found = 0;
  let bytes = 0;
  for (let after = -1; ; ) {
    const rows = await readPage(runId, after, events);
    if (rows.length === 0) break;
    bytes += JSON.stringify(rows).length;
    found += rows.length;
    after = Number(rows.at(-1)!.seq);
  }
  if (found !== events || bytes < found) throw new Error(`${found} of ${events} rows were read`);
  return (found / (performance.now() - startedAt)) * 1_000;
}

const readPage = await openReader(process.env.DATABASE_URL!);
process.on(
  'message',
  (order: BareReadOrder) => void read(readPage, order).then((rate) => process.send!(rate)),
);
process.on('SIGTERM', () => process.exit());
process.send!('ready');
