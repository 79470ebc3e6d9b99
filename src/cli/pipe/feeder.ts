import { ReportFailed } from '../../client/report-failed.ts';
import type { Reporter, ReporterClosed } from '../../client/reporter.ts';
import type { RunnerEvent } from '../../contract/events.ts';
import { pause } from '../../lib/backoff.ts';
import { unlessAborted } from '../../lib/cancellable.ts';
import type { RuntimeAdapter, RuntimeExit } from '../../runtimes/adapter.ts';

/** What gets a runtime's output to the server. Nothing here throws: the command goes on whatever becomes of its events. */
export interface Feeder {
  /** Resolves when the events of these bytes are in the spool, for which there may have to be room first. */
  push(bytes: Uint8Array): Promise<void>;
  /** The runtime is gone: from now on a wait for room is given up when it has taken too long. */
  hurry(): void;
  /** Ends the run; resolves when all is delivered or the time is over. */
  end(exit: RuntimeExit): Promise<FeederEnd>;
}

/** How a run's delivery ended. */
export interface FeederEnd extends ReporterClosed {
  /** Not even the spool has the end of the run. */
  readonly isCut: boolean;
}

/** What a feeder needs. */
export interface FeederOptions {
  readonly adapter: RuntimeAdapter;
  readonly reporter: Reporter;
  readonly flushTimeoutMs: number;
  /** Hears of what the user should know. */
  readonly tell: (text: string) => void;
}

/** After this the disk is asked again whether it takes something. */
const DISK_MS = 1_000;

/** Feeds a reporter. */
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
      () => giveUp('the spool stays full: what follows is not reported'),
      flushTimeoutMs,
    );
  }

  /** What is to be tried next in place of an event that was refused; null: nothing more can be reported. */
  async function insteadOf(event: RunnerEvent, error: unknown): Promise<RunnerEvent | null> {
    const failure = reporter.failure();
    if (failure || !(error instanceof ReportFailed)) {
      giveUp(`no more events are taken, but the command goes on: ${failure?.message ?? String(error)}`);
      return null;
    }
    if (error.code === 'spool_failed') {
      if (!diskTold) tell(`${error.message}; the command is held back until it does`);
      diskTold = true;
      await pause(DISK_MS, given);
      return event;
    }
    // This event alone is refused, such as one of more than 15 MiB.
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
