import { setTimeout as sleep } from 'node:timers/promises';

/** Who sends how often to whom. */
export interface LatencyLoad {
  readonly runs: number;
  readonly subscribersPerRun: number;
  readonly eventsPerSecond: number;
}

/** Where the load goes. */
export interface Conveyor {
  /** Sends one event of a run; resolves when it is acknowledged. */
  send(run: number, seq: number): Promise<void>;
  /** From now on hears of every event that a subscriber got. */
  listen(onReceived: (run: number, seq: number) => void): void;
  /** When each event was durable, in Unix milliseconds; null: nothing is made durable. Asked when all have arrived. */
  commitTimes(): Promise<((run: number, seq: number) => number) | null>;
}

/** Milliseconds, one for each event that each subscriber got, in no order. */
export interface Latencies {
  readonly sinceSent: readonly number[];
  /** Since the server knew it durable; empty where nothing is. */
  readonly sinceCommit: readonly number[];
  /** Since the sender knew; below 0 where a subscriber knew first. */
  readonly sinceAcknowledged: readonly number[];
}

const LOST_AFTER_MS = 30_000;

/**
 * Sends for so many milliseconds, every run at its own evenly spread moments, an event numbered from `firstSeq` at a
 * time. An event that has to wait for the answer to the one before counts from when it was due to be sent.
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

/** The value below which this share of them lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
