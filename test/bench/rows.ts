import { ingestRow } from './ingest-rows.ts';
import type { Row } from './row.ts';

/** Every row of the table, in its order. */
export function allRows(postgresUrl: string | undefined): readonly Row[] {
  return [
    ingestRow({ transport: 'websocket', batchSize: 256, writers: 16 }, { stock: 8 }, postgresUrl),
    ingestRow({ transport: 'websocket', batchSize: 8, writers: 64 }, { stock: 10 }, postgresUrl),
    ingestRow({ transport: 'websocket', batchSize: 1, writers: 1 }, {}, postgresUrl),
    ingestRow({ transport: 'HTTP', batchSize: 256, writers: 16 }, {}, postgresUrl),
    ingestRow({ transport: 'HTTP', batchSize: 8, writers: 64 }, {}, postgresUrl),
    ingestRow({ transport: 'HTTP', batchSize: 1, writers: 1 }, {}, postgresUrl),
  ];
}
