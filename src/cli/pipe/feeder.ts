import { ReportFailed } from '../../client/report/failed.ts';
import type { Reporter, ReporterClosed } from '../../client/report/reporter.ts';
import type { RunnerEvent } from '../../contract/events.ts';
import { unlessAborted } from '../../lib/cancellable.ts';
import { pause } from '../../lib/waiting/backoff.ts';
import type { RuntimeAdapter, RuntimeExit } from '../../runtimes/adapter.ts';

/** Sends a runtime's output to the server. Never throws: the command continues even if events are lost. */
export interface Feeder {
  /** Resolves once the events of these bytes are in the spool. Waits while the spool is full. */
  push(bytes: Uint8Array): Promise<void>;
  /** Call when the runtime is gone: any wait for room is then limited to `flushTimeoutMs`. */
  hurry(): void;
  /** Ends the run. Resolves when all events are delivered or `flushTimeoutMs` has passed. */
  end(exit: RuntimeExit): Promise<FeederEnd>;
}

/** How a run's delivery ended. */
export interface FeederEnd extends ReporterClosed {
  /** True if events were dropped: not even the spool holds the whole run. */
  readonly isCut: boolean;
}

/** The options of {@link createFeeder}. */
export interface FeederOptions {
  readonly adapter: RuntimeAdapter;
  readonly reporter: Reporter;
  readonly flushTimeoutMs: number;
  /** Reports a message to the user. */
  readonly tell: (text: string) => void;
}

/** How long to wait before a failed write to the spool is retried, in milliseconds. */
const DISK_MS = 1_000;

/** Creates a feeder that passes bytes through the adapter to the reporter. */
export function createFeeder({ adapter, reporter, flushTimeoutMs, tell }: FeederOptions): Feeder {
  const givenUp = new AbortController();
  const given = givenUp.signal;
  let hurried = false;
  let waiting = false;
  let impatience: NodeJS.Timeout | undefined;
  let isCut = false;
  let diskTold = false;

  function giveUp(why: string): void {
    if (given.aborted) return;
    givenUp.abort();
    tell(why);
  }

  function watchTime(): void {
    clearTimeout(impatience);
    if (!hurried || !waiting) return;
    impatience = setTimeout(
      () => giveUp('the spool stayed full: later events are not reported'),
      flushTimeoutMs,
    );
  }

  /** The event to try next after this one was refused. Null: give up on it. */
  async function insteadOf(event: RunnerEvent, error: unknown): Promise<RunnerEvent | null> {
    const failure = reporter.failure();
    if (failure || !(error instanceof ReportFailed)) {
      giveUp(
        `events are no longer reported, but the command continues: ${failure?.message ?? String(error)}`,
      );
      return null;
    }
    if (error.code === 'spool_failed') {
      if (!diskTold) tell(`${error.message}; the command is paused until writing succeeds`);
      diskTold = true;
      await pause(DISK_MS, given);
      return event;
    }
    // Only this event is refused, for example because it exceeds 15 MiB.
    const { kind, tMs, seq } = event;
    const payload = { kind, code: error.code, message: error.message };
    return kind === 'notification' && event.data.event === 'left_out'
      ? null
      : { seq, tMs, kind: 'notification', data: { event: 'left_out', payload } };
  }

  async function send(event: RunnerEvent): Promise<void> {
    let next: RunnerEvent | null = event;
    while (next && !given.aborted) {
      try {
        if ((await unlessAborted(reporter.report(next), given)) === undefined) break;
        return;
      } catch (error) {
        next = await insteadOf(next, error);
      }
    }
    isCut = true;
  }

  async function sendAll(events: readonly RunnerEvent[]): Promise<void> {
    for (const event of events) {
      waiting = true;
      watchTime();
      await send(event);
      waiting = false;
      watchTime();
    }
  }

  return {
    push: (bytes) => (given.aborted ? Promise.resolve() : sendAll(adapter.push(bytes))),
    hurry: () => {
      hurried = true;
      watchTime();
    },
    end: async (exit) => {
      await sendAll(adapter.end(exit));
      const closed = await reporter.close({ deadlineMs: flushTimeoutMs });
      return { ...closed, isCut };
    },
  };
}
