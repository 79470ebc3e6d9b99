import type { RunnerEventKind } from '../../src/contract/events.ts';
import { EventsRemoved, followBatches, followEvents } from '../../src/feed/batches.ts';
import type { Feed } from '../../src/feed/feed.ts';
import type { StoredEvent } from '../../src/store/store.ts';
import type { ReaderPlan } from './seam-plans.ts';

/** What a reader has received, and its position. */
export interface ReaderLog {
  readonly plan: ReaderPlan;
  readonly delivered: StoredEvent[];
  /** The gaps that it received: the numbers above `above` up to `through` are gone. */
  readonly gaps: { readonly above: number; readonly through: number }[];
  cursor: number;
  completed: boolean;
}

interface Message {
  readonly events: readonly StoredEvent[];
  readonly cursor: number;
}

/** A running reader. */
export interface SeamReader {
  readonly log: ReaderLog;
  /** Resolves when the run has ended or the reader was dismissed. */
  readonly done: Promise<void>;
  /** Makes the reader leave, whatever is pending. */
  dismiss(): Promise<void>;
}

/** Follows a run as planned: some connections that the reader leaves, then one that stays. */
export function startReader(
  feed: Feed,
  run: number,
  plan: ReaderPlan,
  turn: (step: string) => Promise<unknown>,
): SeamReader {
  const log: ReaderLog = { plan, delivered: [], gaps: [], cursor: plan.after, completed: false };
  let current: AsyncGenerator<Message, void> | null = null;
  let dismissed = false;

  function take(message: Message): void {
    for (const event of message.events) {
      if (event.seq <= log.cursor) throw new Error(`got ${event.seq} at ${log.cursor}`);
      log.cursor = event.seq;
      log.delivered.push(event);
    }
    if (message.cursor < log.cursor) throw new Error(`cursor went back to ${message.cursor}`);
    log.cursor = message.cursor;
  }

  /** Pulls `count` messages. Returns true if the connection is still open. */
  async function pull(messages: AsyncGenerator<Message, void>, count: number): Promise<boolean> {
    for (let left = count; left > 0; left--) {
      await turn('pull');
      const result = await messages.next();
      if (result.done) {
        log.completed = !dismissed;
        return false;
      }
      take(result.value);
    }
    return true;
  }

  /** Pulls once more, leaves without waiting, and ignores what may still arrive. */
  async function abandon(messages: AsyncGenerator<Message, void>): Promise<void> {
    const pending = messages.next().catch(() => {});
    await turn('leave');
    await Promise.all([messages.return(), pending]);
  }

  async function connect(count: number, leaves: 'between' | 'pending' | 'never'): Promise<void> {
    await turn('connect');
    if (dismissed) return;
    current = open(feed, run, log);
    try {
      const isOpen = await pull(current, count);
      if (isOpen && leaves === 'pending') await abandon(current);
      if (isOpen && leaves === 'between') await current.return();
    } catch (error) {
      if (!(error instanceof EventsRemoved)) throw error;
      log.gaps.push({ above: log.cursor, through: error.through });
      log.cursor = error.through;
    }
  }

  async function work(): Promise<void> {
    for (const { messages, leaves } of plan.connections) {
      if (!log.completed) await connect(messages, leaves);
    }
    while (!log.completed && !dismissed) await connect(Number.POSITIVE_INFINITY, 'never');
  }

  return {
    log,
    done: work(),
    dismiss: async () => {
      dismissed = true;
      await current?.return();
    },
  };
}

function open(feed: Feed, run: number, log: ReaderLog): AsyncGenerator<Message, void> {
  const kinds: ReadonlySet<RunnerEventKind> | null = log.plan.kinds && new Set(log.plan.kinds);
  const request = { run, after: log.cursor, kinds };
  return log.plan.maxEvents === null
    ? singly(followEvents(feed, request))
    : noting(followBatches(feed, request, log.plan.maxEvents), log);
}

/** Converts events to messages. Not a generator, which would come between `return()` and the feed. */
function singly(events: AsyncGenerator<StoredEvent, void>): AsyncGenerator<Message, void> {
  return mapped(events, (event) => ({ events: [event], cursor: event.seq }));
}

function noting(batches: ReturnType<typeof followBatches>, log: ReaderLog): AsyncGenerator<Message, void> {
  return mapped(batches, (batch) => {
    if (batch.gap) log.gaps.push({ above: batch.gap.fromSeq - 1, through: batch.gap.toSeq });
    return batch;
  });
}

function mapped<From, To>(
  source: AsyncGenerator<From, void>,
  map: (value: From) => To,
): AsyncGenerator<To, void> {
  const mapResult = (result: IteratorResult<From, void>): IteratorResult<To, void> =>
    result.done ? result : { done: false, value: map(result.value) };
  return {
    next: () => source.next().then(mapResult),
    return: () => source.return().then(mapResult),
    throw: (error: unknown) => source.throw(error).then(mapResult),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await source.return();
    },
  };
}
