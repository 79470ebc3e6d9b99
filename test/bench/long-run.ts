import { batchFrom } from './batches.ts';
import { createRuns } from './documents.ts';
import type { Target } from './target.ts';
import { openWriter } from './writer.ts';

/** A very long run. */
export interface LongRun {
  readonly id: string;
  /** How many events the run had initially, numbered from 0. */
  readonly events: number;
}

const BATCH_SIZE = 200;

/** Creates a long run through the public API. */
export async function makeLongRun({ graphqlUrl }: Target, events: number): Promise<LongRun> {
  const id = 'long-run';
  await createRuns(graphqlUrl, [id]);
  const writer = await openWriter(graphqlUrl, 'websocket');
  try {
    for (let first = 0; first < events; first += BATCH_SIZE) {
      await writer.send(id, batchFrom(first, BATCH_SIZE));
    }
  } finally {
    writer.close();
  }
  return { id, events };
}
