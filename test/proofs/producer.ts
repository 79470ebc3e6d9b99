import { setTimeout as sleep } from 'node:timers/promises';
import { ingestBatch } from '../../src/client/request/ingest.ts';
import { IngestFailed } from '../../src/client/request/post.ts';
import type { RunnerEventBatch } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import type { Script } from './script.ts';

const LONGEST_PAUSE_MS = 10;
const RETRY_MS = 50;
/** The timeout after which a request that a stopped machine swallowed is retried. */
const ANSWER_MS = 20_000;

/** Sends a script batch by batch and retries each batch until it is acknowledged. */
export interface Producer {
  /** Returns how many batches were acknowledged. */
  acknowledged(): number;
  /** Returns how often a batch was retried. */
  retries(): number;
  /** Resolves when the whole script is acknowledged. Rejects if the server refuses a batch. */
  readonly done: Promise<void>;
}

/**
 * Starts a producer. It calls `graphql` for a server's URL before each request. With `careful` every batch
 * names the number before it, so that the server would notice the loss of anything it had acknowledged.
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
          throw new Error('the server did not count every event');
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
  // The caller awaits this promise. Until then a failure must not end the process.
  done.catch(() => {});
  return { acknowledged: () => acknowledged, retries: () => retries, done };
}
