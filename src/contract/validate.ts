import { copyJsonObject, newValueBudget, type ValueBudget } from './copy-json.ts';
import { describeValue, isArray, wholeLength } from './describe.ts';
import {
  RUNNER_EVENT_BATCH_MAX_EVENTS,
  RUNNER_EVENT_KINDS,
  RUNNER_EVENT_VERSION,
  type RunnerEvent,
  type RunnerEventBatch,
  type RunnerEventKind,
} from './events.ts';

/** The codes of refused batches, in the order of the checks. Programs branch on these, not on messages. */
export const RUNNER_EVENT_BATCH_VALIDATION_CODES = [
  'invalid_envelope',
  'version_mismatch',
  'missing_run_id',
  'empty_batch',
  'batch_too_large',
  'invalid_event',
  'seq_not_monotonic',
  't_ms_not_monotonic',
] as const;

/** One of {@link RUNNER_EVENT_BATCH_VALIDATION_CODES}. */
export type RunnerEventBatchValidationCode = (typeof RUNNER_EVENT_BATCH_VALIDATION_CODES)[number];

/** The validator's verdict. `eventIndex` is present for the codes that concern one event. */
export type RunnerEventBatchValidation =
  | { readonly ok: true; readonly batch: RunnerEventBatch }
  | RunnerEventBatchRefusal;

/** A refusal: the code to branch on, and a short sentence that names the place. */
interface RunnerEventBatchRefusal {
  readonly ok: false;
  readonly code: RunnerEventBatchValidationCode;
  readonly message: string;
  readonly eventIndex?: number;
}

const KINDS: ReadonlySet<unknown> = new Set(RUNNER_EVENT_KINDS);

/**
 * Checks a batch against the contract; the first failure wins. Never throws, for any input: it reads each
 * property once, and a property that throws when read counts as absent. The accepted batch is a deep copy
 * without unknown keys, frozen down to each event's `data` (the members of `data` are copies, too, but not
 * frozen).
 */
export function validateRunnerEventBatch(input: unknown): RunnerEventBatchValidation {
  if (!isObject(input))
    return refuse('invalid_envelope', `a batch must be an object, got ${describeValue(input)}`);
  const v = read(input, 'v');
  if (v !== RUNNER_EVENT_VERSION) {
    return refuse('version_mismatch', `v must be ${RUNNER_EVENT_VERSION}, got ${describeValue(v)}`);
  }
  const runId = read(input, 'runId');
  if (typeof runId !== 'string' || runId === '') {
    return refuse('missing_run_id', `runId must be a non-empty string, got ${describeValue(runId)}`);
  }
  const list = read(input, 'events');
  if (!isArray(list)) {
    return refuse('empty_batch', `events must be a non-empty array, got ${describeValue(list)}`);
  }
  const length = wholeLength(read(list, 'length'));
  if (length === 0) return refuse('empty_batch', 'events must be a non-empty array, got an empty one');
  if (length > RUNNER_EVENT_BATCH_MAX_EVENTS) {
    return refuse(
      'batch_too_large',
      `events must hold at most ${RUNNER_EVENT_BATCH_MAX_EVENTS} events, got ${length}`,
    );
  }
  const budget = newValueBudget();
  const events: RunnerEvent[] = [];
  let previous: RunnerEvent | undefined;
  for (let index = 0; index < length; index++) {
    const event = acceptEvent(read(list, index), index, previous, budget);
    if ('ok' in event) return event;
    events.push(event);
    previous = event;
  }
  return {
    ok: true,
    batch: Object.freeze({
      v: RUNNER_EVENT_VERSION,
      runId,
      events: Object.freeze(events),
    }),
  };
}

function acceptEvent(
  input: unknown,
  index: number,
  previous: RunnerEvent | undefined,
  budget: ValueBudget,
): RunnerEvent | RunnerEventBatchRefusal {
  if (!isObject(input)) return invalid(index, '', `must be an object, got ${describeValue(input)}`);
  const seq = read(input, 'seq');
  if (!isWholeNumber(seq)) return invalid(index, '.seq', notWhole(seq));
  const tMs = read(input, 'tMs');
  if (!isWholeNumber(tMs)) return invalid(index, '.tMs', notWhole(tMs));
  const kind = read(input, 'kind');
  if (!isKind(kind)) {
    return invalid(
      index,
      '.kind',
      `must be one of the ${RUNNER_EVENT_KINDS.length} event kinds, got ${describeValue(kind)}`,
    );
  }
  const data = read(input, 'data');
  if (!isObject(data)) return invalid(index, '.data', `must be an object, got ${describeValue(data)}`);
  const copied = copyJsonObject(data, `events[${index}].data`, budget);
  if ('problem' in copied)
    return {
      ok: false,
      code: 'invalid_event',
      message: copied.problem,
      eventIndex: index,
    };
  if (previous !== undefined && seq <= previous.seq) {
    return {
      ok: false,
      code: 'seq_not_monotonic',
      message: `events[${index}].seq must be greater than the ${previous.seq} before it, got ${seq}`,
      eventIndex: index,
    };
  }
  if (previous !== undefined && tMs < previous.tMs) {
    return {
      ok: false,
      code: 't_ms_not_monotonic',
      message: `events[${index}].tMs must not be less than the ${previous.tMs} before it, got ${tMs}`,
      eventIndex: index,
    };
  }
  // Adding 0 converts -0 to 0.
  return Object.freeze({
    seq: seq + 0,
    tMs: tMs + 0,
    kind,
    data: Object.freeze(copied.copy),
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isArray(value);
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isKind(value: unknown): value is RunnerEventKind {
  return KINDS.has(value);
}

function read(source: object, key: string | number): unknown {
  try {
    return (source as Record<string | number, unknown>)[key];
  } catch {
    return undefined;
  }
}

function refuse(code: RunnerEventBatchValidationCode, message: string): RunnerEventBatchRefusal {
  return { ok: false, code, message };
}

function invalid(index: number, place: string, problem: string): RunnerEventBatchRefusal {
  return {
    ok: false,
    code: 'invalid_event',
    message: `events[${index}]${place} ${problem}`,
    eventIndex: index,
  };
}

function notWhole(value: unknown): string {
  return `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, got ${describeValue(value)}`;
}
