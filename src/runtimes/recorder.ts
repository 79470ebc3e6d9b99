import type { JsonObject, RunnerEvent, RunnerEventKind } from '../contract/events.ts';
import { clipEnd, clipStart } from '../lib/text/clip.ts';
import type { RuntimeAdapterOptions, RuntimeExit } from './adapter.ts';
import { faultOf, fieldsOf, MAX_DATA_LEVELS, parseObject, withoutInfinities } from './json.ts';
import { NOISE_TAIL_LENGTH } from './noise.ts';
import { settle, type Verdict } from './outcome.ts';
import { createToolLedger, type ToolLedger } from './tools.ts';

const MAX_ERRORS = 10;
const MAX_ERROR_LENGTH = 1000;

/** The kinds of events that lines can become. The recorder adds a run's first and last event. */
export type LineEventKind = Exclude<RunnerEventKind, 'runtime_started' | 'runtime_terminal'>;

/** Numbers and dates the events of one run, and ensures that each event satisfies the contract. */
export interface RunRecorder {
  readonly tools: ToolLedger;
  emit(kind: LineEventKind, data: JsonObject): void;
  /** Emits a `notification` with `{event, payload, …more}`, the catch-all. */
  notify(event: string, payload: JsonObject, more?: JsonObject): void;
  /** Emits a `stream_error`, and adds its message to the terminal event's `errors` (the last ten). */
  warn(message: string, more?: JsonObject): void;
  /** Adds a message to the terminal event's `errors` without emitting an event. */
  blame(message: string): void;
}

/** The part of the recorder that begins and ends a run. */
export interface RunLog {
  readonly recorder: RunRecorder;
  /** Emits `runtime_started`, or the notification `resumed` in a resumed run. Later calls do nothing. */
  start(describe: () => JsonObject): void;
  /** Emits `runtime_terminal`. Call once, after `start`. */
  finish(proposed: Verdict | null, data: JsonObject, exit: RuntimeExit): void;
  /** Returns the events since the last call. */
  take(): RunnerEvent[];
}

/** Creates the log of one run. */
export function createRunLog(options: RuntimeAdapterOptions): RunLog {
  const now = options.now ?? Date.now;
  const redact = options.redact ?? ((text: string) => text);
  const tools = createToolLedger();
  const errors: string[] = [];
  let events: RunnerEvent[] = [];
  let seq = options.nextSeq ?? 0;
  let tMs = options.lastTMs ?? 0;
  let started = false;

  const append = (kind: RunnerEventKind, data: JsonObject): void => {
    const time = Math.floor(now());
    if (Number.isSafeInteger(time) && time > tMs) tMs = time;
    events.push({ seq, tMs, kind, data });
    seq += 1;
  };

  const emit = (kind: RunnerEventKind, data: JsonObject): void => {
    const fault = faultOf(data);
    switch (fault) {
      case 'none':
        append(kind, data);
        break;
      case 'not_finite':
        append(kind, withoutInfinities(data));
        break;
      case 'too_deep':
        append('notification', {
          event: 'too_deep',
          payload: {
            kind,
            maxLevels: MAX_DATA_LEVELS,
            note: 'omitted because its data nests deeper than an event may',
          },
        });
    }
  };

  const blame = (message: string): void => {
    const short = clipEnd(message, MAX_ERROR_LENGTH);
    // Runtimes often report an error twice: when it happens, and again at the end.
    if (errors.at(-1) === short) return;
    errors.push(short);
    if (errors.length > MAX_ERRORS) errors.shift();
  };

  return {
    recorder: {
      tools,
      emit,
      notify: (event, payload, more) => {
        const data = { event, payload, ...more };
        // Data that nests too deep to be kept would also be too deep to stringify.
        const isKept = event === 'unknown_line' && faultOf(data) !== 'too_deep';
        emit('notification', isKept ? { ...data, payload: redactedObject(payload, redact) } : data);
      },
      warn(message, more) {
        const told = redact(message);
        blame(told);
        emit('stream_error', { message: told, ...more });
      },
      blame: (message) => blame(redact(message)),
    },
    start(describe) {
      if (started) return;
      started = true;
      if (options.resumed === true) emit('notification', { event: 'resumed', payload: describe() });
      else emit('runtime_started', describe());
    },
    finish(proposed, data, exit) {
      const verdict = settle(proposed, exit);
      emit('runtime_terminal', {
        ...fieldsOf({
          outcome: verdict.outcome,
          reason: verdict.reason,
          exitCode: Number.isFinite(exit.exitCode) ? exit.exitCode : undefined,
          signal: exit.signal ?? undefined,
          errors: errors.length > 0 ? errors : undefined,
        }),
        ...data,
        ...tools.summary(),
        ...fieldsOf({
          stderrTail: exit.stderrTail ? clipStart(redact(exit.stderrTail), NOISE_TAIL_LENGTH) : undefined,
        }),
      });
    },
    take() {
      const taken = events;
      events = [];
      return taken;
    },
  };
}

/** Redacts all strings of an object together, with one search instead of one per string. */
function redactedObject(value: JsonObject, redact: (text: string) => string): JsonObject {
  const json = JSON.stringify(value);
  const redacted = redact(json);
  if (redacted === json) return value;
  // If a secret contains quotes or braces, the rest may no longer be JSON.
  return parseObject(redacted) ?? { text: redacted };
}
