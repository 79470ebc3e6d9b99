import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Reader } from '../feed/cursor.ts';
import { unlessAborted } from '../lib/cancellable.ts';
import { createTurns } from '../lib/turns.ts';
import type { OperationRequest, Operations } from './operations.ts';
import { runListFilter } from './run-filter.ts';
import type { UpdatedRun } from './run-updates.ts';
import type { SharedFeed } from './shared-feed.ts';
import { shapingVariables, subscriptionRoot } from './subscription-root.ts';

/** Selections of one document that differ in workspace or variables. */
const WRITERS_PER_DOCUMENT = 32;
/** Executions in one turn of the event loop, and the most that wait for theirs. */
const EXECUTIONS_PER_TURN = 16;
const MAX_WAITING_EXECUTIONS = 100_000;

/** Writes a row as the payload that one selection answers. Kept as long as the row. */
type Writer = (row: UpdatedRun) => Promise<Buffer>;

const writers = new WeakMap<DocumentNode, LRUCache<string, Writer>>();
const turns = createTurns({ costPerTurn: EXECUTIONS_PER_TURN, maxWaiting: MAX_WAITING_EXECUTIONS });

/**
 * Opens a subscription of `runUpdated` whose payloads are executed once for all subscribers of the workspace that have
 * the same document and the same variables in its selection, whatever their filters. Null when the request is another
 * one, or is at fault: then executing it says what is wrong.
 */
export function openSharedUpdates(
  request: OperationRequest,
  operations: Pick<Operations, 'answer'>,
): SharedFeed | null {
  const root = subscriptionRoot(request, ['runUpdated']);
  if (!root) return null;
  const { runUpdates, connection, principal } = request.contextValue;
  const filter = attempt(() => runListFilter({ principal }, root.args.filter));
  if (!filter) return null;
  const shaping = shapingVariables(request.document, root.field, root.variables);
  const key = JSON.stringify([principal.workspace, request.operationName ?? '', shaping]);
  const write = writerOf(request.document, key, () => createWriter(request, operations));
  return {
    open: async (signal) => {
      const rows = await runUpdates.open(filter, connection, signal);
      return rows && writtenBy(write, rows, signal);
    },
  };
}

function attempt<Value>(make: () => Value): Value | null {
  try {
    return make();
  } catch {
    return null;
  }
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

function createWriter(request: OperationRequest, operations: Pick<Operations, 'answer'>): Writer {
  const written = new WeakMap<UpdatedRun, Promise<Buffer>>();
  async function execute(row: UpdatedRun): Promise<Buffer> {
    await turns.take(request.document, 1);
    return Buffer.from(JSON.stringify(await operations.answer(request, row)));
  }
  return (row) => {
    const known = written.get(row);
    if (known) return known;
    const payload = execute(row);
    written.set(row, payload);
    return payload;
  };
}

/** The payloads of rows, in their order. A subscriber that stalls holds the portion that it was handed. */
function writtenBy(
  write: Writer,
  rows: Reader<readonly UpdatedRun[]>,
  signal: AbortSignal,
): Reader<readonly Buffer[]> {
  let portion: readonly Buffer[] | null = null;
  return {
    take: () => {
      const taken = portion;
      portion = null;
      return taken;
    },
    ended: rows.ended,
    ready: async () => {
      while (!portion && !rows.ended()) {
        const taken = rows.take();
        if (taken) portion = (await unlessAborted(Promise.all(taken.map(write)), signal)) ?? null;
        else await rows.ready();
      }
    },
    close: rows.close,
  };
}
