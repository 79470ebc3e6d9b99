import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { post } from '../support/request.ts';
import { CONNECTIONS } from './connections.ts';
import type { JobPlan } from './job-plan.ts';
import { startSubscriber } from './subscriber.ts';

/** The outcome of a job. */
export interface JobTally {
  readonly status: string;
  readonly outcome: string;
  readonly events: number;
  readonly reconnects: number;
}

/** A job that runs while its server is killed. */
export interface ProvenJob {
  /** Resolves when the start is answered. */
  readonly started: Promise<void>;
  /** Resolves when the job has a final status and its subscriber has received the end. */
  readonly over: Promise<void>;
  /** Returns true if the job is running, as far as its caller knows. */
  lives(): boolean;
  /** Checks the stored events against what is allowed, and the received events against the stored ones. */
  expectOneEnd(): Promise<JobTally>;
}

const ASK_AGAIN_MS = 100;
const TRIES = 1_200;
const FOLLOWED_OVER = CONNECTIONS.filter(({ over }) => over === 'websocket');

/** How a job may fail here: on its own or at its time limit. Nothing is lost, and nothing is unknown. */
const FAILURES = [null, 'exit_nonzero', 'killed_by_signal', 'max_duration_exceeded'];

/** The runner's exit code after an answer that it must never get. */
const MISTREATED = 70;

/** Runs a job by its plan, with a subscriber that follows it from the start. */
export function startProvenJob(graphql: string, plan: JobPlan): ProvenJob {
  const { runId, runner, maxRunDurationMs, stopsAfterMs, stopsRunning, graceMs, payload } = plan;
  const view: RunnerEvent[] = [];
  const connection = FOLLOWED_OVER[Math.floor(Math.random() * FOLLOWED_OVER.length)]!;
  let reconnects = 0;
  let isOver = false;
  let isStarted = false;

  async function start(): Promise<void> {
    await sleep(plan.startsAfterMs);
    const input = { runId, provider: 'openai', runner, maxRunDurationMs, payload };
    expect(await ask(graphql, START, { input })).toEqual({ startJob: { __typename: 'StartJobSuccess' } });
    isStarted = true;
  }

  async function stop(): Promise<void> {
    if (stopsAfterMs === null) return;
    while (stopsRunning && view.length === 0) await sleep(ASK_AGAIN_MS);
    await sleep(stopsAfterMs);
    const input = { runId, graceMs };
    expect(await ask(graphql, STOP, { input })).toEqual({ stopJob: { __typename: 'StopJobSuccess' } });
  }

  async function follow(): Promise<void> {
    const subscriber = startSubscriber(
      () => graphql,
      runId,
      connection,
      (event) => view.push(event),
    );
    await subscriber.done;
    reconnects = subscriber.cuts.length;
  }

  async function live(): Promise<void> {
    await started;
    await Promise.all([stop(), follow()]);
    for (;;) {
      const { job } = await ask<{ job: StoredJob }>(graphql, JOB, { runId });
      if (job.endedAt !== null) break;
      await sleep(ASK_AGAIN_MS);
    }
    isOver = true;
  }

  const started = start();
  const over = live();
  // The caller awaits this promise. Until then a failure must not end the process.
  over.catch(() => {});
  started.catch(() => {});

  return {
    started,
    over,
    lives: () => isStarted && !isOver,
    expectOneEnd: async () => {
      const { job } = await ask<{ job: StoredJob }>(graphql, JOB, { runId });
      const told = JSON.stringify({ plan, job });
      const { nodes } = job.run.events;
      expect(['terminated', 'failed'], told).toContain(job.status);
      expect(FAILURES, told).toContain(job.terminalErrorClass);
      expect(job.exitCode, told).not.toBe(MISTREATED);

      const sent = nodes.filter(({ sourceSeq }) => sourceSeq !== null);
      expect(
        sent.map(({ sourceSeq }) => sourceSeq),
        told,
      ).toEqual(sent.map((_, index) => index));
      expect(new Set(sent.map(({ data }) => data.instance)).size, told).toBeLessThanOrEqual(1);
      const terminals = nodes.filter(({ kind }) => kind === 'runtime_terminal');
      expect(terminals, told).toHaveLength(1);
      expect(nodes.at(-1), told).toBe(terminals[0]);

      const stored = nodes.map(({ seq, tMs, kind, data }) => ({ seq, tMs, kind, data }));
      expect(view, told).toEqual(stored);
      const outcome = String(terminals[0]!.data.outcome ?? 'its own');
      return { status: job.status, outcome, events: nodes.length, reconnects };
    },
  };
}

interface StoredJob {
  readonly status: string;
  readonly terminalErrorClass: string | null;
  readonly terminalErrorMessage: string | null;
  readonly exitCode: number | null;
  readonly endedAt: string | null;
  readonly run: { readonly events: { readonly nodes: readonly StoredEvent[] } };
}

interface StoredEvent extends RunnerEvent {
  readonly sourceSeq: number | null;
}

const START =
  'mutation ($input: StartJobInput!) { startJob(input: $input) { __typename ... on Error { message } } }';
const STOP =
  'mutation ($input: StopJobInput!) { stopJob(input: $input) { __typename ... on Error { message } } }';
const JOB = `query ($runId: ID!) { job(runId: $runId) {
  status terminalErrorClass terminalErrorMessage exitCode endedAt
  run { events(first: 1000) { nodes { seq sourceSeq tMs kind data } } }
} }`;

/** Sends a request to a server that may be down until it answers. */
async function ask<Data>(graphql: string, query: string, variables: object): Promise<Data> {
  let last: unknown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      const { body } = await post(graphql, query, variables);
      if (body.data) return body.data as unknown as Data;
      last = body.errors;
    } catch (error) {
      last = error;
    }
    await sleep(ASK_AGAIN_MS);
  }
  throw new Error('the server no longer answers', { cause: last });
}
