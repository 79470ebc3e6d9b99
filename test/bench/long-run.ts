import { batchFrom } from './batches.ts';
import { createRuns } from './documents.ts';
import type { Target } from './target.ts';
import { openWriter } from './writer.ts';

/** A run that has grown for very long. */
export interface LongRun {
  readonly id: string;
  /** How many events it had at first, numbered from 0. */
  readonly events: number;
}

const BATCH_SIZE = 200;

/** Makes one, through the front door. */
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
