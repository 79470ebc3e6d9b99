import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { streamEvents } from '../../client/stream/events.ts';
import type { StreamedEvent } from '../../client/stream/feed.ts';
import { readDemoConfig } from '../../config/demo.ts';
import { createReleasers } from '../../lib/releasers.ts';
import { StartFault } from '../../lib/start-fault.ts';
import { startServer } from '../../server/server.ts';
import { eventLine } from '../event-line.ts';
import { request } from '../request.ts';
import { RUN_GOES_ON } from '../stop.ts';
import { readArguments } from '../terminal/arguments.ts';
import { harmlessLine } from '../terminal/harmless.ts';
import { leaveIfStuck } from '../terminal/leave.ts';
import { createOutput, type Output, throwFailure } from '../terminal/output.ts';
import { createServerLog } from '../terminal/server-log.ts';
import { stopSignal } from '../terminal/stop-signal.ts';
import { UsageError } from '../terminal/usage-error.ts';
import { webSocketWith } from '../websocket.ts';
import { fileSource, PLAY_MS, play, stdinSource } from './play.ts';

const RUN_ID = 'demo';
const JOB_INPUT = `runId: "${RUN_ID}", provider: anthropic, runtime: managed, runner: "demo", title: "Demo"`;
/** Milliseconds that the runner of a stopped demo has to exit, to wait for its end, and between checks. */
const STOP_GRACE_MS = 1_000;
const STOP_WAIT_MS = 10_000;
const STOP_LOOK_MS = 50;

const endOfJob = z.object({ job: z.object({ endedAt: z.string().nullable() }) });

type Print = (line: string) => Promise<void>;

interface DemoOptions {
  /** A Goose stream to play; `-` is standard input. Undefined: the built-in transcript. */
  readonly file: string | undefined;
  readonly exit: boolean;
  /** Seconds after which the job is stopped. Null: the job plays to its end. */
  readonly stopAfter: number | null;
}

/**
 * `runfeed demo`: starts a server with a fresh store and a job on the `process` substrate, whose runner
 * claims it and plays a Goose transcript. Prints the run's events as a websocket subscriber receives them.
 * Returns the exit code.
 */
export async function demo(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  const output = createOutput(1);
  const signalled = stopSignal(['SIGINT', 'SIGTERM', 'SIGHUP']);
  await playUntil(Promise.race([signalled, output.whenHungUp()]), options, output);
  // A reader that takes nothing must not keep a demo that is told to stop.
  await Promise.race([output.write(''), signalled.then((signal) => leaveIfStuck(output, signal))]);
  throwFailure(output);
  return 0;
}

async function playUntil(stopped: Promise<unknown>, options: DemoOptions, output: Output): Promise<void> {
  const print: Print = (line) => output.write(`${line}\n`);
  const releasers = createReleasers();
  try {
    if (options.file !== undefined && options.file !== '-') (await fileSource(options.file)).close();
    const folder = await mkdtemp(join(tmpdir(), 'runfeed-demo-'));
    releasers.add(() => rm(folder, { recursive: true, force: true }));
    const read = readDemoConfig(folder);
    if (!read.ok) throw new StartFault(read.problems.join('; '));
    const log = createServerLog(read.config.logLevel);
    const server = await startServer(read.config, log, { demoRunId: RUN_ID });
    releasers.add(() => server.close());
    const url = `${server.url}/graphql`;
    const running = await startRun(url, options);
    releasers.add(running.release);
    void print(`GraphiQL: ${server.url}/graphiql   (press ▶ there to follow the same run)`);
    void print(
      `curl:     curl -N -H 'accept: text/event-stream' '${url}?query=subscription%7BrunEvents(runId:%22${RUN_ID}%22)%7Bseq%20kind%20data%7D%7D'`,
    );
    void print('');
    if (running.isJob && options.file === undefined) {
      void print(
        `The agent works for at most ${PLAY_MS / 1_000} s. Its events, as a subscriber receives them:`,
      );
    }

    const events = streamEvents(RUN_ID, { url, webSocketImpl: webSocketWith() });
    releasers.add(async () => void (await events.return()));
    const following = printRun(events, print);
    const ended = Promise.all([following, running.played]).then(() => 'ended' as const);
    const first = await Promise.race([ended, stopped, stopLater(url, options.stopAfter, print)]);
    if (first !== 'ended') {
      ended.catch(() => {});
      return;
    }
    void print('');
    // The runner sends the run's last event before it exits, so the job ends after the run.
    if (running.isJob) {
      await Promise.race([untilJobEnds(url), stopped]);
      void print(`job:      ${await describeJob(url)}`);
    }
    if (options.exit) return;
    void print(`The run has ended. The server stays up at ${server.url} until Ctrl-C.`);
    await stopped;
  } finally {
    await releasers.release();
  }
}

interface StartedRun {
  readonly isJob: boolean;
  /** Resolves when this process sends no more events. */
  readonly played: Promise<void>;
  release(): Promise<void>;
}

/** Starts a job, except for standard input, which only this process can read: it is played from here. */
async function startRun(url: string, { file }: DemoOptions): Promise<StartedRun> {
  if (file === '-') {
    await request(
      { url },
      z.unknown(),
      `mutation { createRun(input: { id: "${RUN_ID}", provider: openai }) { __typename } }`,
    );
    const source = stdinSource();
    return {
      isJob: false,
      played: play(source, { runId: RUN_ID, url }),
      release: async () => source.close(),
    };
  }
  const payload = file === undefined ? '' : `, payload: { file: ${JSON.stringify(resolve(file))} }`;
  const { startJob } = await request(
    { url },
    z.object({ startJob: z.object({ __typename: z.string(), message: z.string().optional() }) }),
    `mutation { startJob(input: { ${JOB_INPUT}${payload} }) { __typename ... on Error { message } } }`,
  );
  const { __typename, message } = startJob;
  if (__typename !== 'StartJobSuccess') throw new Error(`the job was not started: ${message}`);
  return { isJob: true, played: Promise.resolve(), release: () => leaveNoRunner(url) };
}

/** Stops the job. A runner outlives its server, so a demo that ends early must stop it. */
async function leaveNoRunner(url: string): Promise<void> {
  const stop = `mutation { stopJob(input: { runId: "${RUN_ID}", graceMs: ${STOP_GRACE_MS} }) { __typename } }`;
  await request({ url }, z.unknown(), stop);
  await untilJobEnds(url);
}

/** Waits until the job ends, for at most {@link STOP_WAIT_MS}. */
async function untilJobEnds(url: string): Promise<void> {
  for (const until = performance.now() + STOP_WAIT_MS; performance.now() < until; ) {
    const { job } = await request({ url }, endOfJob, `{ job(runId: "${RUN_ID}") { endedAt } }`);
    if (job.endedAt !== null) return;
    await sleep(STOP_LOOK_MS);
  }
}

/** Stops the job after `seconds`. Never resolves: the demo waits for the end of the run, not for this. */
async function stopLater(url: string, seconds: number | null, print: Print): Promise<never> {
  if (seconds !== null) {
    await sleep(seconds * 1_000, undefined, { ref: false });
    void print(`(stopJob, after ${seconds} s; ${RUN_GOES_ON})`);
    await request(
      { url },
      z.unknown(),
      `mutation { stopJob(input: { runId: "${RUN_ID}", graceMs: ${STOP_GRACE_MS} }) { __typename } }`,
    );
  }
  return new Promise(() => {});
}

async function describeJob(url: string): Promise<string> {
  const { job } = await request(
    { url },
    z.object({ job: z.record(z.string(), z.unknown()) }),
    `{ job(runId: "${RUN_ID}") { status substrate exitCode terminalErrorClass } }`,
  );
  const { status, substrate, exitCode, terminalErrorClass } = job;
  const facts = [
    `${status} on substrate ${substrate}`,
    terminalErrorClass,
    exitCode !== null && `exit code ${exitCode}`,
  ];
  return harmlessLine(facts.filter(Boolean).join(', '));
}

async function printRun(events: AsyncIterable<StreamedEvent>, print: Print): Promise<void> {
  let startedAt: number | undefined;
  for await (const event of events) {
    startedAt ??= event.tMs;
    await print(eventLine(event, startedAt));
  }
}

function readOptions(argv: readonly string[]): DemoOptions {
  const { values } = readArguments(argv, {
    file: { type: 'string' },
    exit: { type: 'boolean', default: false },
    'stop-after': { type: 'string' },
  });
  const { file, exit, 'stop-after': stopAfter } = values;
  if (stopAfter !== undefined && !/^\d{1,6}(\.\d+)?$/.test(stopAfter)) {
    throw new UsageError('--stop-after takes a number of seconds');
  }
  if (stopAfter !== undefined && file === '-') {
    throw new UsageError('--stop-after needs a job, and standard input is played without one: use a file');
  }
  return { file, exit, stopAfter: stopAfter === undefined ? null : Number(stopAfter) };
}
