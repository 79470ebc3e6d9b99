import { fanOutRow } from './fan-out-row.ts';
import { ingestRow } from './ingest-rows.ts';
import type { Row } from './row.ts';

/** Every row of the table, in its order; the bars are the project's goals. */
export const ROWS: readonly Row[] = [
  ingestRow({ transport: 'websocket', batchSize: 256, writers: 16 }, { stock: 8 }),
  ingestRow({ transport: 'websocket', batchSize: 8, writers: 64 }, { stock: 10 }),
  ingestRow({ transport: 'websocket', batchSize: 1, writers: 1 }, {}),
  ingestRow({ transport: 'HTTP', batchSize: 256, writers: 16 }, {}),
  ingestRow({ transport: 'HTTP', batchSize: 8, writers: 64 }, {}),
  ingestRow({ transport: 'HTTP', batchSize: 1, writers: 1 }, {}),
  fanOutRow({ subscribers: 500, batchSize: 1 }, {}),
  fanOutRow({ subscribers: 500, batchSize: 32 }, { stock: 4, limit: 0.7 }),
];
