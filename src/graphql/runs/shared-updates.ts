import type { DocumentNode, ExecutionResult } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Operator } from '../../auth/principal.ts';
import { totalsOf } from '../../config/totals.ts';
import type { Reader } from '../../feed/cursor.ts';
import { attempt } from '../../lib/attempt.ts';
import { unlessAborted } from '../../lib/cancellable.ts';
import { createKeyCounts } from '../../lib/key-counts.ts';
import { createTurns, TurnsExhausted } from '../../lib/waiting/turns.ts';
import type { RunListFilter } from '../../store/lists.ts';
import { StoreUnavailable } from '../../store/unavailable.ts';
import type { AskedContext, Services } from '../context.ts';
import { overloaded } from '../errors/faults.ts';
import type { SharedFeed } from '../feed/shared.ts';
import type { OperationRequest } from '../operations/request.ts';
import { sharedShape, subscriptionRoot } from '../operations/subscription-root.ts';
import { runListFilter } from './filter.ts';
import type { UpdatedRun } from './row.ts';
import type { RunUpdates } from './updates.ts';

/** Cached selections of one document, which differ in workspace or variables. */
const WRITERS_PER_DOCUMENT = 32;
/** Executions in one turn of the event loop, and the maximum number of executions that wait. */
const EXECUTIONS_PER_TURN = 16;
const MAX_WAITING_EXECUTIONS = 100_000;
const MAX_WAITING_PER_CONNECTION = 10_000;
/** Different `runUpdated` selections on one connection. Each is executed for every run that changes. */
const SELECTIONS_PER_CONNECTION = 20;

/** Executes a subscription for one event of its source. */
type Execute = (request: OperationRequest, event: unknown) => Promise<ExecutionResult>;

/** Writes a row as the payload of one selection, in the turns of `owner`. */
type Writer = (row: UpdatedRun, owner: object) => Promise<Written>;

/** A payload. If `isOverloaded`, it says that its owner has no turns left, and is only for that owner. */
interface Written {
  readonly payload: Buffer;
  readonly isOverloaded: boolean;
}

/** Bytes of cached payloads over all selections. */
const MAX_KEPT_BYTES = totalsOf().sharedPayloadBytes;

type KnownPayloads = WeakMap<UpdatedRun, Written | Promise<Written>>;

/** Cached payloads live as long as their rows. When they take too much memory, all of them are dropped. */
interface Kept {
  readonly byWriter: WeakMap<Writer, KnownPayloads>;
  bytes: number;
}

let kept: Kept = { byWriter: new WeakMap(), bytes: 0 };

const writers = new WeakMap<DocumentNode, LRUCache<string, Writer>>();
const turns = createTurns({
  costPerTurn: EXECUTIONS_PER_TURN,
  maxWaiting: MAX_WAITING_EXECUTIONS,
  maxWaitingPerOwner: MAX_WAITING_PER_CONNECTION,
});

const selections = createKeyCounts<Writer>(SELECTIONS_PER_CONNECTION);

/**
 * Opens a subscription of `runUpdated` whose payloads are executed once for all subscribers in the workspace
 * with the same document and the same variables in its selection, whatever their filters. Returns null for
 * other operations, for long variables and for invalid requests. The caller must then execute the request,
 * which reports any fault.
 */
export function openSharedUpdates(request: OperationRequest, execute: Execute): SharedFeed | null {
  const root = subscriptionRoot(request, ['runUpdated']);
  if (!root) return null;
  const { runUpdates, connection, principal } = request.contextValue;
  // A writer serves the whole workspace, so only operators, who all have the same rights, may share it.
  if (principal.kind !== 'operator') return null;
  const filter = attempt(() => runListFilter({ principal }, root.args.filter));
  const shape = filter && sharedShape(request, root);
  if (!shape) return null;
  const key = JSON.stringify([principal.workspace, shape.key]);
  const asked = keptRequest(request, shape.variables, principal);
  const write = writerOf(request.document, key, () => createWriter(asked, execute));
  return feedOf(write, runUpdates, filter, connection);
}

/** Returns the request without its caller, because a writer outlives the first connection that used it. */
function keptRequest(
  { document, operationName, contextValue }: OperationRequest,
  variableValues: OperationRequest['variableValues'],
  { kind, workspace }: Operator,
): OperationRequest {
  const { store, runKeys, ingest, feed, wakeups, jobs, native, runUpdates, version } = contextValue;
  const services: Services = { store, runKeys, ingest, feed, wakeups, jobs, native, runUpdates, version };
  return {
    document,
    operationName,
    variableValues,
    contextValue: { ...services, principal: { kind, workspace } },
  };
}

/** A separate function, so that an open subscription does not keep its request in memory. */
function feedOf(
  write: Writer,
  runUpdates: RunUpdates,
  filter: RunListFilter,
  connection: AskedContext['connection'],
): SharedFeed {
  return {
    open: async (signal) => {
      const owner = connection ?? {};
      const leave = enter(owner, write);
      try {
        const rows = await runUpdates.open(filter, connection, signal);
        if (rows) return writtenBy(write, owner, closing(rows, leave), signal);
      } catch (error) {
        leave();
        throw error;
      }
      leave();
      return null;
    },
  };
}

/** Counts a selection of the owner. Returns the undo function. Throws OVERLOADED if there are too many. */
function enter(owner: object, write: Writer): () => void {
  const leave = selections.hold(owner, write);
  if (leave) return leave;
  throw overloaded(`a connection may use ${SELECTIONS_PER_CONNECTION} different selections of runUpdated`);
}

function closing<Value>(reader: Reader<Value>, leave: () => void): Reader<Value> {
  return {
    ...reader,
    close: () => {
      leave();
      reader.close();
    },
  };
}

function writerOf(document: DocumentNode, key: string, create: () => Writer): Writer {
  let ofDocument = writers.get(document);
  if (!ofDocument) {
    ofDocument = new LRUCache({ max: WRITERS_PER_DOCUMENT });
    writers.set(document, ofDocument);
  }
  const known = ofDocument.get(key);
  if (known) return known;
  const writer = create();
  ofDocument.set(key, writer);
  return writer;
}

function createWriter(request: OperationRequest, execute: Execute): Writer {
  return async (row, owner) => {
    try {
      await turns.take(owner, 1);
    } catch (error) {
      // The client reconnects and queries the runs that it has missed.
      throw error instanceof TurnsExhausted
        ? new StoreUnavailable('too many changed runs are waiting')
        : error;
    }
    const answer = await execute({ ...request, owner }, row);
    const isOverloaded = answer.errors?.some(({ extensions }) => extensions.code === 'OVERLOADED') ?? false;
    return { payload: Buffer.from(JSON.stringify(answer)), isOverloaded };
  };
}

/**
 * Returns the payload of a row, which all subscribers with one selection share. If the first subscriber fails
 * to create it, the next one creates it in its own turns.
 */
async function payloadOf(write: Writer, row: UpdatedRun, owner: object): Promise<Buffer> {
  for (let known = knownOf(write).get(row); known; known = knownOf(write).get(row)) {
    const written = known instanceof Promise ? await known.catch(() => null) : known;
    if (written && !written.isOverloaded) return written.payload;
  }
  return (await writeFor(write, row, owner)).payload;
}

function knownOf(write: Writer): KnownPayloads {
  if (kept.bytes > MAX_KEPT_BYTES) kept = { byWriter: new WeakMap(), bytes: 0 };
  const ofWriter = kept.byWriter.get(write) ?? new WeakMap();
  kept.byWriter.set(write, ofWriter);
  return ofWriter;
}

function writeFor(write: Writer, row: UpdatedRun, owner: object): Promise<Written> {
  const ofWriter = knownOf(write);
  const writing = write(row, owner);
  ofWriter.set(row, writing);
  const forget = () => void ofWriter.delete(row);
  // Registered first, so that the cache is updated before waiting subscribers continue.
  writing.then((written) => {
    if (written.isOverloaded) return forget();
    ofWriter.set(row, written);
    kept.bytes += written.payload.length;
  }, forget);
  return writing;
}

/** Reads the payloads of rows, in order. A stalled subscriber holds only the portion that it has received. */
function writtenBy(
  write: Writer,
  owner: object,
  rows: Reader<readonly UpdatedRun[]>,
  signal: AbortSignal,
): Reader<readonly Buffer[]> {
  let portion: readonly Buffer[] | null = null;
  return {
    weight: () => portion?.reduce((bytes, { length }) => bytes + length, 0) ?? 0,
    take: () => {
      const taken = portion;
      portion = null;
      return taken;
    },
    ended: rows.ended,
    ready: async () => {
      while (!portion && !rows.ended()) {
        const taken = rows.take();
        if (taken)
          portion =
            (await unlessAborted(Promise.all(taken.map((row) => payloadOf(write, row, owner))), signal)) ??
            null;
        else await rows.ready();
      }
    },
    close: rows.close,
  };
}
