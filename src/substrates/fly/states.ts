import { clipEnd } from '../../lib/text/clip.ts';
import type { JobErrorClass } from '../errors.ts';
import type { Machine } from '../fly-api/machine.ts';
import type { JobObservation } from '../substrate.ts';
import { eventsOf, exitOf, hasStarted, type MachineEvent, verdictOf } from './exits.ts';

/** What a machine state says about a job. */
type Phase =
  /** The machine exists, and its main process has not run yet. */
  | 'preparing'
  | 'running'
  /** Nothing new: the job is as it was. */
  | 'unchanged'
  /** The machine is about to end; how it ended may be known already. */
  | 'ending'
  | 'ended'
  | 'failed';

/** Looked up by own property only: the state is text from outside. */
const PHASES: Readonly<Record<string, Phase>> = {
  creating: 'preparing',
  created: 'preparing',
  starting: 'preparing',
  started: 'running',
  restarting: 'unchanged',
  updating: 'unchanged',
  replacing: 'unchanged',
  replaced: 'unchanged',
  migrated: 'unchanged',
  suspending: 'unchanged',
  suspended: 'unchanged',
  stopping: 'unchanged',
  stopped: 'ended',
  failed: 'failed',
  launch_failed: 'failed',
  destroying: 'ending',
  destroyed: 'ended',
};

const MAX_REASON_LENGTH = 300;
const PULL_TEXT = /manifest|pull|registry|image/i;
const CAPACITY_TEXT = /capacity|insufficient/i;

/** Returns true if this file knows the state. */
export function isKnownState(state: string): boolean {
  return Object.hasOwn(PHASES, state);
}

/**
 * Returns what a machine says about its job. The status never says less than the events prove, so a state
 * that lags behind them takes nothing back. While the host is unreachable, the status is the last one known,
 * with the class `host_lost`, which becomes the verdict if the host stays away. An end without a trace of its
 * cause is `missing`: the trace may only be late.
 */
export function observe(machine: Machine, redact: (text: string) => string): JobObservation {
  const events = eventsOf(machine);
  const region = machine.region === undefined ? {} : { region: machine.region };
  const phase = isKnownState(machine.state) ? PHASES[machine.state]! : 'unchanged';
  const end = hasEnd(phase) ? endOf(events, redact, phase === 'failed') : null;
  if (end) return { ...end, ...region };
  const soFar = { status: hasStarted(events) ? 'running' : 'provisioning', ...region } as const;
  if (machine.host_status === 'unreachable' || machine.host_status === 'unknown') {
    const message = `the machine's host cannot be reached (${machine.host_status})`;
    return { ...soFar, terminalErrorClass: 'host_lost', terminalErrorMessage: message };
  }
  if (phase === 'running') return { ...soFar, status: 'running' };
  return phase === 'ended' ? { ...soFar, missing: true } : soFar;
}

function hasEnd(phase: Phase): boolean {
  return phase === 'ending' || phase === 'ended' || phase === 'failed';
}

/** Returns how the job ended. Null if nothing says so. */
function endOf(
  events: readonly MachineEvent[],
  redact: (text: string) => string,
  neverRan: boolean,
): JobObservation | null {
  const exit = exitOf(events);
  if (exit) {
    const { errorClass, message } = verdictOf(exit);
    const { exit_code: exitCode } = exit;
    return errorClass === null
      ? { status: 'terminated', exitCode }
      : { ...failed(errorClass, redact(message)), exitCode };
  }
  if (!neverRan && !events.some(({ status }) => status === 'failed' || status === 'launch_failed'))
    return null;
  const reason = redact(reasonIn(events));
  const because = reason ? `: ${clipEnd(reason, MAX_REASON_LENGTH)}` : '';
  return failed(classOf(reason), `the machine could not be started${because}`);
}

function failed(terminalErrorClass: JobErrorClass, terminalErrorMessage: string): JobObservation {
  return { status: 'failed', terminalErrorClass, terminalErrorMessage };
}

function classOf(reason: string): JobErrorClass {
  if (CAPACITY_TEXT.test(reason)) return 'capacity';
  return PULL_TEXT.test(reason) ? 'image_pull_failed' : 'start_failed';
}

/**
 * Finds why a start failed. Fly does not document where it says so: this takes the newest text that is called
 * an error.
 */
function reasonIn(events: readonly MachineEvent[]): string {
  for (const { request } of events) {
    const found = errorIn(request, 3);
    if (found) return found;
  }
  return '';
}

function errorIn(value: unknown, depth: number): string {
  if (typeof value !== 'object' || value === null || depth === 0) return '';
  for (const [name, inside] of Object.entries(value)) {
    if (typeof inside !== 'string') {
      const found = errorIn(inside, depth - 1);
      if (found) return found;
    } else if (inside && /error|reason|message/i.test(name)) return inside;
  }
  return '';
}
