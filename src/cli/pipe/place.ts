import { createReporter } from '../../client/reporter.ts';
import type { Spool } from '../../client/spool.ts';
import type { RunnerEvent } from '../../contract/events.ts';
import type { Target } from './target.ts';

/** What is compared before a command is started. */
export interface Places {
  readonly target: Target;
  /** What an earlier process may have left behind. */
  readonly spool: Spool;
  /** Where that is. */
  readonly folder: string;
  readonly flushTimeoutMs: number;
}

/**
 * Whether an earlier process began this run. Throws when nothing may follow: the run has ended, the spool is another
 * run's, or nobody can say how far the run is. What is left of a run that has ended is delivered first.
 */
export async function checkPlace({ target, spool, folder, flushTimeoutMs }: Places): Promise<boolean> {
  const { runId, endpoint, place } = target;
  const last = spool.last();
  if (place === null && last === null) {
    throw new Error(`no server answers at ${endpoint.url}`);
  }
  const range = spool.held().range;
  if (place && range && (range.fromSeq > place.nextSeq || range.toSeq + 1 < place.nextSeq)) {
    throw new Error(
      `${folder} holds events ${range.fromSeq} to ${range.toSeq}, which do not go with run ${runId} (its next is ${place.nextSeq}): remove that folder to go on without them`,
    );
  }
  const isOver = last !== null && (JSON.parse(last.json) as RunnerEvent).kind === 'runtime_terminal';
  if (!place?.ended && !isOver) return last !== null || (place?.nextSeq ?? 0) > 0;
  const reporter = createReporter({ runId, ...endpoint, nextSeq: place?.nextSeq ?? 0, spool });
  const { undelivered } = await reporter.close({ deadlineMs: flushTimeoutMs });
  const rest =
    last === null
      ? ''
      : undelivered
        ? '; its last events are not delivered'
        : '; its last events are delivered now';
  throw new Error(`run ${runId} has ended, so nothing was started${rest}`);
}
