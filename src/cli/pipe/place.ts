import { createReporter } from '../../client/report/reporter.ts';
import type { Spool } from '../../client/report/spool.ts';
import type { RunnerEvent } from '../../contract/events.ts';
import type { Target } from './target.ts';

/** The inputs of {@link checkPlace}. */
export interface Places {
  readonly target: Target;
  /** May hold undelivered events of an earlier process. */
  readonly spool: Spool;
  /** The folder of the spool. */
  readonly folder: string;
  readonly flushTimeoutMs: number;
}

/**
 * Returns true if an earlier process began this run. Throws if the command must not start: the run has ended,
 * the spool does not match the run, or the run's position is unknown. Undelivered events of an ended run are
 * delivered first.
 */
export async function checkPlace({ target, spool, folder, flushTimeoutMs }: Places): Promise<boolean> {
  const { runId, endpoint, place, unreachable } = target;
  const last = spool.last();
  if (unreachable && last === null) throw unreachable;
  const range = spool.held().range;
  if (place && range && (range.fromSeq > place.nextSeq || range.toSeq + 1 < place.nextSeq)) {
    throw new Error(
      `${folder} holds events ${range.fromSeq} to ${range.toSeq}, which do not match run ${runId} (its next event is ${place.nextSeq}): remove the folder to continue without them`,
    );
  }
  const isOver = last !== null && (JSON.parse(last.json) as RunnerEvent).kind === 'runtime_terminal';
  if (!place?.ended && !isOver) return last !== null || (place?.nextSeq ?? 0) > 0;
  const reporter = createReporter({ runId, ...endpoint, nextSeq: place?.nextSeq ?? 0, spool });
  const { undelivered } = await reporter.close({ deadlineMs: flushTimeoutMs });
  const rest =
    last === null
      ? ': pass another id with --run'
      : undelivered
        ? '; its last events were not delivered'
        : '; its last events have now been delivered';
  throw new Error(`run ${runId} has ended, so nothing was started${rest}`);
}
