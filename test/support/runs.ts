import { randomUUID } from 'node:crypto';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { CREATE_RUN, INGEST, post } from './request.ts';

/** Legal events from number `from` on, `count` of them; each says its number. */
export function eventsFrom(from: number, count: number): RunnerEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: from + index,
    tMs: from + index,
    kind: 'assistant_text',
    data: { text: String(from + index) },
  }));
}

/** The terminal event with this number. */
export function terminalAt(seq: number): RunnerEvent {
  return { seq, tMs: seq, kind: 'runtime_terminal', data: { outcome: 'success' } };
}

/** Makes a run with an id of its own and answers the id. */
export async function newRun(graphql: string, id: string = randomUUID()): Promise<string> {
  const { body } = await post(graphql, CREATE_RUN, { id });
  if (!body.data) throw new Error(JSON.stringify(body));
  return id;
}

/** Appends one batch, whatever it holds, and answers what the server said. */
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

/** Appends legal batches of 256 until the run has `count` events more, from number `from` on. */
export async function fill(graphql: string, runId: string, from: number, count: number): Promise<void> {
  for (let seq = from; seq < from + count; seq += 256) {
    await ingest(graphql, runId, eventsFrom(seq, Math.min(256, from + count - seq)));
  }
}

/** Resolves when the condition holds; throws what it last was when it never does. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`it was not so within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
