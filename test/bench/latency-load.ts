import { setTimeout as sleep } from 'node:timers/promises';

/** How many senders send how often to how many subscribers. */
export interface LatencyLoad {
  readonly runs: number;
  readonly subscribersPerRun: number;
  readonly eventsPerSecond: number;
}

/** The system under load. */
export interface Conveyor {
  /** Sends one event of a run. Resolves when it is acknowledged. */
  send(run: number, seq: number): Promise<void>;
  /** Sets the callback for every event that a subscriber receives. */
  listen(onReceived: (run: number, seq: number) => void): void;
  /**
   * Returns when each event became durable, in Unix milliseconds. Null if nothing is made durable. Called
   * after all events have arrived.
   */
  commitTimes(): Promise<((run: number, seq: number) => number) | null>;
}

/** Milliseconds for each event that each subscriber received, in no particular order. */
export interface Latencies {
  readonly sinceSent: readonly number[];
  /** Since the server knew that the event was durable. Empty if nothing is made durable. */
  readonly sinceCommit: readonly number[];
  /** Since the sender received the acknowledgement. Negative if a subscriber received the event first. */
  readonly sinceAcknowledged: readonly number[];
}

const LOST_AFTER_MS = 30_000;

/**
 * Sends events for this many milliseconds, each run at separate, evenly spaced moments, one event at a time,
 * numbered from `firstSeq`. The time of an event that has to wait for the previous answer counts from when it
 * was due.
 */
export async function conveyLoad(
  load: LatencyLoad,
  conveyor: Conveyor,
  firstSeq: number,
  ms: number,
): Promise<Latencies> {
  const { runs, subscribersPerRun, eventsPerSecond } = load;
  const perRun = Math.max(1, Math.round((ms / 1_000) * eventsPerSecond));
  const expected = runs * perRun * subscribersPerRun;
  const sentAt = Array.from({ length: runs }, () => new Float64Array(perRun));
  const acknowledgedAt = Array.from({ length: runs }, () => new Float64Array(perRun));
  const arrivals: { readonly run: number; readonly index: number; readonly at: number }[] = [];
  let settle = (): void => {};
  const allReceived = new Promise<void>((resolve) => {
    settle = resolve;
  });
  conveyor.listen((run, seq) => {
    arrivals.push({ run, index: seq - firstSeq, at: performance.now() });
    if (arrivals.length === expected) settle();
  });
  const underWay: Promise<void>[] = Array.from({ length: runs }, async () => {});
  const startedAt = performance.now();
  const gapMs = 1_000 / (eventsPerSecond * runs);
  for (let sent = 0; sent < perRun * runs; ) {
    for (; sent < perRun * runs && performance.now() - startedAt >= sent * gapMs; sent += 1) {
      const run = sent % runs;
      const index = Math.floor(sent / runs);
      sentAt[run]![index] = performance.now();
      underWay[run] = underWay[run]!.then(async () => {
        await conveyor.send(run, firstSeq + index);
        acknowledgedAt[run]![index] = performance.now();
      });
    }
    await sleep(1);
  }
  await Promise.all(underWay);
  const lost = sleep(LOST_AFTER_MS, 'lost', { ref: false });
  if ((await Promise.race([allReceived, lost])) === 'lost') {
    throw new Error(`${expected - arrivals.length} of ${expected} events did not arrive`);
  }
  const committedAt = await conveyor.commitTimes();
  return {
    sinceSent: arrivals.map(({ run, index, at }) => at - sentAt[run]![index]!),
    sinceCommit: committedAt
      ? arrivals.map(({ run, index, at }) => performance.timeOrigin + at - committedAt(run, firstSeq + index))
      : [],
    sinceAcknowledged: arrivals.map(({ run, index, at }) => at - acknowledgedAt[run]![index]!),
  };
}

/** Returns the value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
