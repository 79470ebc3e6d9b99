import type { DocumentNode, FieldNode } from 'graphql';
import type { FeedBatch } from '../../feed/batches.ts';
import type { StoredEvent } from '../../store/store.ts';
import { collectFields, fragmentsOf, type Scope } from '../price/selection.ts';

/** A batch as `runEventBatches` returns it. */
export interface AnsweredBatch extends FeedBatch {
  readonly runId: string;
}

/** Writes the executor's answer to one selection as JSON text, without the executor. */
export interface FeedWriter {
  /** Returns the payload of one event of `runEvents`. */
  event(event: StoredEvent): string;
  /** Returns the payload of one batch of `runEventBatches`. */
  batch(batch: AnsweredBatch): string;
}

/** Writes one value as JSON text. */
type Write<Value> = (value: Value) => string;

/** Creates the writers of a type's fields from the nodes that select them. Other fields need the executor. */
type FieldWriters<Value> = Readonly<
  Record<string, (nodes: readonly FieldNode[], scope: Scope) => Write<Value> | null>
>;

/** `data` is inserted as stored: stringifying the parsed data would give the same text. */
const EVENT_FIELDS: FieldWriters<StoredEvent> = {
  seq: () => (event) => String(event.seq),
  tMs: () => (event) => String(event.tMs),
  kind: () => (event) => `"${event.kind}"`,
  data: () => (event) => event.data,
  sourceSeq: () => (event) => String(event.sourceSeq),
  committedAt: () => (event) => `"${new Date(event.committedAt).toISOString()}"`,
};

const GAP_FIELDS: FieldWriters<NonNullable<FeedBatch['gap']>> = {
  fromSeq: () => (gap) => String(gap.fromSeq),
  toSeq: () => (gap) => String(gap.toSeq),
  reason: () => () => '"retention"',
};

const BATCH_FIELDS: FieldWriters<AnsweredBatch> = {
  runId: () => (batch) => JSON.stringify(batch.runId),
  cursor: () => (batch) => String(batch.cursor),
  caughtUp: () => (batch) => String(batch.caughtUp),
  ended: () => (batch) => String(batch.ended),
  events: (nodes, scope) => {
    const write = objectWriter('RunnerEvent', EVENT_FIELDS, nodes, scope);
    return write && ((batch) => `[${batch.events.map(write).join(',')}]`);
  },
  gap: (nodes, scope) => {
    const write = objectWriter('RunFeedGap', GAP_FIELDS, nodes, scope);
    return write && ((batch) => (batch.gap ? write(batch.gap) : 'null'));
  },
};

/**
 * Compiles the selection of a subscription. `field` is its only root field; `variables` are coerced.
 * Evaluates directives and fragments once, as the executor does for every event. Returns null if a selected
 * field has no writer: then the executor must answer.
 */
export function compileFeedWriter(
  document: DocumentNode,
  field: FieldNode,
  variables: Readonly<Record<string, unknown>>,
): FeedWriter | null {
  const scope = { fragments: fragmentsOf(document), variables };
  const open = `{"data":{"${field.alias?.value ?? field.name.value}":`;
  const isEvents = field.name.value === 'runEvents';
  const writeEvent = isEvents ? objectWriter('RunnerEvent', EVENT_FIELDS, [field], scope) : () => '';
  const writeBatch = isEvents ? () => '' : objectWriter('RunFeedBatch', BATCH_FIELDS, [field], scope);
  if (!writeEvent || !writeBatch) return null;
  return {
    event: (event) => `${open}${writeEvent(event)}}}`,
    batch: (batch) => `${open}${writeBatch(batch)}}}`,
  };
}

function objectWriter<Value>(
  typeName: string,
  writers: FieldWriters<Value>,
  nodes: readonly FieldNode[],
  scope: Scope,
): Write<Value> | null {
  const parts: Write<Value>[] = [];
  for (const [key, sameKey] of collectFields([typeName], nodes, scope)) {
    const name = sameKey[0]!.name.value;
    const before = `${parts.length === 0 ? '' : ','}"${key}":`;
    const write = name === '__typename' ? () => `"${typeName}"` : writers[name]?.(sameKey, scope);
    if (!write) return null;
    parts.push((value) => before + write(value));
  }
  return (value) => {
    let text = '{';
    for (const part of parts) text += part(value);
    return `${text}}`;
  };
}
