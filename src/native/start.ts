import type { JsonObject } from '../contract/events.ts';
import type { KeyedHash } from '../lib/keyed-hash.ts';
import type { NativeLease, NativeRunRecord } from '../store/native-runs.ts';
import type { RunRecord, Store } from '../store/store.ts';
import { NativeRefused } from './refusals.ts';

/** What is followed: a session, or the answer to a Messages request that the server sends. */
export type NativeInput =
  | { readonly source: 'session'; readonly sessionId: string }
  | { readonly source: 'messages'; readonly request: JsonObject };

/** What a caller asks for. */
export interface NativeRequest {
  readonly workspace: string;
  readonly runId: string;
  readonly title: string | null;
  /** JSON text. */
  readonly labels: string;
  readonly input: NativeInput;
}

/** A followed run, and what of it is new. */
export interface NativeStarted {
  readonly run: RunRecord;
  readonly runCreated: boolean;
  /** Null: it was followed already, or is over. */
  readonly begun: NativeRunRecord | null;
}

/**
 * Makes a run one that is followed by this lease's owner. The same again answers the run as it is. Throws
 * {@link NativeRefused}.
 */
export async function startNative(
  { store, hash, lease }: { readonly store: Store; readonly hash: KeyedHash; readonly lease: NativeLease },
  { workspace, runId, title, labels, input }: NativeRequest,
): Promise<NativeStarted> {
  const { run, created } = await store.createRun({
    workspace,
    id: runId,
    provider: 'anthropic',
    runtime: 'native',
    title,
    labels,
    createdAt: Date.now(),
  });
  if (run.provider !== 'anthropic' || run.runtime !== 'native') {
    const message = `run ${runId} is there already, as ${run.provider} and ${run.runtime}: choose another id`;
    throw new NativeRefused('run_conflict', message);
  }
  if (await isFollowed()) return { run, runCreated: created, begun: null };
  if (run.terminalSeq !== null) {
    throw new NativeRefused('run_terminated', 'the run has ended: a new try is a new run');
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
    if (await isFollowed()) return { run, runCreated: created, begun: null };
    throw new NativeRefused('run_conflict', `run ${runId} has events or an end already: choose another id`);
  }
  return { run, runCreated: created, begun: await store.nativeRuns.read(run.key) };

  async function isFollowed(): Promise<boolean> {
    const known = await store.nativeRuns.read(run.key);
    if (known && !hash.matches(known.specHash, input)) {
      throw new NativeRefused(
        'run_conflict',
        `run ${runId} is for another input already: a new try is a new run`,
      );
    }
    return known !== null;
  }
}
