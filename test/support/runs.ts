import { randomUUID } from 'node:crypto';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { CREATE_RUN, INGEST, post } from './request.ts';

/** Returns `count` valid events, numbered from `from`. Each contains its number. */
export function eventsFrom(from: number, count: number): RunnerEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: from + index,
    tMs: from + index,
    kind: 'assistant_text',
    data: { text: String(from + index) },
  }));
}

/** Returns a terminal event with this number. */
export function terminalAt(seq: number): RunnerEvent {
  return { seq, tMs: seq, kind: 'runtime_terminal', data: { outcome: 'success' } };
}

/** Creates a run, by default with a unique id, and returns its id. */
export async function newRun(graphql: string, id: string = randomUUID()): Promise<string> {
  const { body } = await post(graphql, CREATE_RUN, { id });
  if (!body.data) throw new Error(JSON.stringify(body));
  return id;
}

/** Appends one batch with any contents and returns the server's answer. */
export async function ingest(
  graphql: string,
  runId: string,
  events: readonly unknown[],
  previousSeq?: number,
): Promise<Record<string, unknown>> {
  const { body } = await post(graphql, INGEST, { b: { v: 1, runId, events }, previousSeq });
  if (!body.data) throw new Error(JSON.stringify(body));
  return body.data.ingestEvents as unknown as Record<string, unknown>;
}

/** Appends `count` valid events in batches of 256, numbered from `from`. */
export async function fill(graphql: string, runId: string, from: number, count: number): Promise<void> {
  for (let seq = from; seq < from + count; seq += 256) {
    await ingest(graphql, runId, eventsFrom(seq, Math.min(256, from + count - seq)));
  }
}

/**
 * Resolves when the condition holds. Rejects if it throws, or does not hold within `timeoutMs` milliseconds.
 */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`the condition did not hold within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
