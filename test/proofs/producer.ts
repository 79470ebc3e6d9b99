import { setTimeout as sleep } from 'node:timers/promises';
import { ingestBatch } from '../../src/client/ingest.ts';
import { IngestFailed } from '../../src/client/post.ts';
import type { RunnerEventBatch } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import type { Script } from './script.ts';

const LONGEST_PAUSE_MS = 10;
const RETRY_MS = 50;
/** A request that a stopped machine swallowed is sent again after this. */
const ANSWER_MS = 20_000;

/** Sends a script batch by batch, each again and again until it is acknowledged. */
export interface Producer {
  /** How many batches were acknowledged. */
  acknowledged(): number;
  /** How often a batch was sent again. */
  retries(): number;
  /** Resolves when all of the script is acknowledged; rejects when the server refuses a batch. */
  readonly done: Promise<void>;
}

/**
 * Starts to produce; asks for a server's `/graphql` before each request. With `careful` every batch names the number
 * before it, so that the server would notice the loss of anything it had acknowledged.
 */
export function startProducer(
  graphql: () => string,
  script: Script,
  { careful }: { careful: boolean },
): Producer {
  const stopping = new AbortController();
  releaseAfterwards(() => stopping.abort());
  let acknowledged = 0;
  let retries = 0;

  async function deliver(batch: RunnerEventBatch, previousSeq: number): Promise<void> {
    for (;;) {
      stopping.signal.throwIfAborted();
      try {
        const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(ANSWER_MS)]);
        const result = await ingestBatch(batch, { url: graphql(), signal, ...(careful && { previousSeq }) });
        if (result.__typename === 'BatchRejected') throw new Error(`${result.code}: ${result.message}`);
        if (result.accepted + result.duplicates !== batch.events.length)
          throw new Error('not all was counted');
        return;
      } catch (error) {
        if (!(error instanceof IngestFailed)) throw error;
      }
      retries += 1;
      await sleep(Math.random() * RETRY_MS);
    }
  }

  async function produce(): Promise<void> {
    let previousSeq = -1;
    for (let batch = script.at(0); batch; batch = script.at(acknowledged)) {
      await deliver(batch, previousSeq);
      previousSeq = batch.events.at(-1)!.seq;
      acknowledged += 1;
      await sleep(Math.random() * LONGEST_PAUSE_MS);
    }
  }

  const done = produce();
  // Whoever waits for it hears of it; until then a failure must not end the process.
  done.catch(() => {});
  return { acknowledged: () => acknowledged, retries: () => retries, done };
}
