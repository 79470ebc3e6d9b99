import { type ExecutionResult, getOperationAST } from 'graphql';
import { overloaded } from '../../graphql/errors/faults.ts';
import { isBatchType } from '../../graphql/ingest/batch-input.ts';
import type { Operations } from '../../graphql/operations/operations.ts';
import type { OperationRequest } from '../../graphql/operations/request.ts';
import { jsonMemory } from '../../lib/text/json-memory.ts';
import type { Owner } from '../load/byte-total.ts';
import type { Load } from '../load/load.ts';
import type { InFlight } from './in-flight.ts';

/** The memory that one token of a parsed document takes, in bytes: 137 in a list of numbers. */
const BYTES_PER_TOKEN = 160;
/** This much of an operation does not count: the number of operations that wait bounds it. */
const FREE_BYTES = 16 * 1024;
/** Larger values are not measured exactly: no connection may hold as much. */
const MEASURED_BYTES = 1024 * 1024 * 1024;

/** What {@link executeOperation} needs. */
export interface ExecuteOptions {
  readonly operations: Operations;
  readonly inFlight: InFlight;
  readonly load: Pick<Load, 'pending'>;
}

/**
 * Runs a query or mutation of a connection. What was parsed for it counts until it is done: an operation that waits for a
 * list keeps megabytes that were parsed from kilobytes. `kept` is all that the transport keeps, by default the operation's
 * variables. Batches do not count, because ingest counts them. Throws OVERLOADED, or `ShuttingDown`.
 */
export async function executeOperation(
  request: OperationRequest,
  owner: Owner,
  { operations, inFlight, load }: ExecuteOptions,
  kept: Readonly<Record<string, unknown>> | null = request.variableValues ?? null,
): Promise<ExecutionResult> {
  const leave = inFlight.enter();
  let release: (() => void) | null = null;
  try {
    const bytes = (request.document.tokenCount ?? 0) * BYTES_PER_TOKEN + memoryOf(request, kept);
    if (bytes > FREE_BYTES) {
      release = load.pending.take(bytes - FREE_BYTES, owner);
      if (!release) throw overloaded('the pending operations use too much memory');
    }
    return await operations.execute(request);
  } finally {
    release?.();
    leave();
  }
}

/** Returns the memory of parsed values by name, without batch variables. */
function memoryOf(
  { document, operationName }: OperationRequest,
  values: Readonly<Record<string, unknown>> | null,
): number {
  if (!values) return 0;
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? [];
  const batches = definitions
    .filter(({ type }) => isBatchType(type))
    .map(({ variable }) => variable.name.value);
  let bytes = 0;
  for (const [name, value] of Object.entries(values))
    if (!batches.includes(name)) bytes += jsonMemory(value, MEASURED_BYTES);
  return bytes;
}
