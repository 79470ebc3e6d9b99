import { clipEnd } from '../../../lib/clip.ts';
import type { JobErrorClass } from '../../errors.ts';
import type { JobObservation } from '../../substrate.ts';
import { eventsOf, exitOf, hasStarted, type MachineEvent, verdictOf } from './exits.ts';
import type { Machine } from './machine.ts';

/** What a state of Fly's says about a job. */
type Phase =
  /** There is a machine, and its main process has not run yet. */
  | 'preparing'
  | 'running'
  /** Nothing new: whatever was so far, is. */
  | 'unchanged'
  /** On its way to an end; how it ended may be known already. */
  | 'ending'
  | 'ended'
  | 'failed';

/** Looked up by own property only: the state is a text from outside. */
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

/** Whether the state is one that this file knows. */
export function isKnownState(state: string): boolean {
  return Object.hasOwn(PHASES, state);
}

/**
 * What a machine says about its job. A status never says less than the events prove, so that a state which lags behind
 * them takes nothing back. While the host is out of reach the status is the last one known, with the class `host_lost`:
 * what it comes to if the host stays away. An end without a trace of how is `missing`: it may only be late.
 */
export function observe(machine: Machine, redact: (text: string) => string): JobObservation {
  const events = eventsOf(machine);
  const region = machine.region === undefined ? {} : { region: machine.region };
  const phase = isKnownState(machine.state) ? PHASES[machine.state]! : 'unchanged';
  const end = hasEnd(phase) ? endOf(events, redact, phase === 'failed') : null;
  if (end) return { ...end, ...region };
  const soFar = { status: hasStarted(events) ? 'running' : 'provisioning', ...region } as const;
  if (machine.host_status === 'unreachable' || machine.host_status === 'unknown') {
    const message = `the machine's host is out of reach (${machine.host_status})`;
    return { ...soFar, terminalErrorClass: 'host_lost', terminalErrorMessage: message };
  }
  if (phase === 'running') return { ...soFar, status: 'running' };
  return phase === 'ended' ? { ...soFar, missing: true } : soFar;
}

function hasEnd(phase: Phase): boolean {
  return phase === 'ending' || phase === 'ended' || phase === 'failed';
}

/** How it ended, as far as that is told. */
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

/** Where Fly writes why a start failed is documented nowhere: the newest text that is called an error. */
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
