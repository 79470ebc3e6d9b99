import type { JsonObject } from '../contract/events.ts';
import type { KeyedHash } from '../lib/secrets/keyed-hash.ts';
import { createRun, RunConflict } from '../runs/create.ts';
import type { NativeLease, NativeRunRecord } from '../store/native-runs.ts';
import type { RunRecord, Store } from '../store/store.ts';
import type { WakeupPlane } from '../wakeups/plane.ts';
import { NativeRefused } from './refusals.ts';

/** What to follow: a session, or the response to a Messages request that the server sends. */
export type NativeInput =
  | { readonly source: 'session'; readonly sessionId: string }
  | { readonly source: 'messages'; readonly request: JsonObject };

/** A caller's request to follow a run. */
export interface NativeRequest {
  readonly workspace: string;
  readonly runId: string;
  readonly title: string | null;
  /** JSON text. */
  readonly labels: string;
  readonly input: NativeInput;
}

/** A followed run. */
export interface NativeStarted {
  readonly run: RunRecord;
  /** Null if the run was already followed or has ended. */
  readonly begun: NativeRunRecord | null;
}

/** What {@link startNative} works with. */
export interface NativeStartTools {
  readonly store: Store;
  readonly wakeups: WakeupPlane;
  readonly hash: KeyedHash;
  readonly lease: NativeLease;
}

/**
 * Makes a run a followed run of this lease's owner, and creates the run if necessary. Repeating the call
 * returns the existing run. Throws {@link NativeRefused}.
 */
export async function startNative(
  { store, wakeups, hash, lease }: NativeStartTools,
  { workspace, runId, title, labels, input }: NativeRequest,
): Promise<NativeStarted> {
  const run = await runOf();
  if (await isFollowed()) return { run, begun: null };
  if (run.terminalSeq !== null) {
    throw new NativeRefused('run_terminated', 'the run has ended: create a new run to try again');
  }
  const begins = await store.nativeRuns.create(
    {
      run: run.key,
      source: input.source,
      sessionId: input.source === 'session' ? input.sessionId : null,
      specHash: hash.of(input),
    },
    lease,
  );
  if (!begins) {
    if (await isFollowed()) return { run, begun: null };
    throw new NativeRefused(
      'run_conflict',
      `run ${runId} already has events or has ended: choose another id`,
    );
  }
  return { run, begun: await store.nativeRuns.read(run.key) };

  async function runOf(): Promise<RunRecord> {
    const asked = { workspace, id: runId, provider: 'anthropic', runtime: 'native', title, labels } as const;
    try {
      return (await createRun({ store, wakeups }, asked)).run;
    } catch (error) {
      throw error instanceof RunConflict ? new NativeRefused('run_conflict', error.message) : error;
    }
  }

  async function isFollowed(): Promise<boolean> {
    const known = await store.nativeRuns.read(run.key);
    if (known && !hash.matches(known.specHash, input)) {
      throw new NativeRefused(
        'run_conflict',
        `run ${runId} already follows a different input: create a new run to try again`,
      );
    }
    return known !== null;
  }
}
