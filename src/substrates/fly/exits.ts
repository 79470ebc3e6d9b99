import { constants } from 'node:os';
import { z } from 'zod';
import type { JobErrorClass } from '../errors.ts';
import type { Machine } from '../fly-api/machine.ts';

const flag = z.boolean().catch(false);
const count = z.number().catch(0);

const exitSchema = z.object({
  /** Go omits a zero. */
  exit_code: count,
  signal: z.number().catch(-1),
  guest_signal: z.number().catch(-1),
  oom_killed: flag,
  requested_stop: flag,
  restarting: flag,
  error: z.string().catch(''),
  guest_error: z.string().catch(''),
});

const eventSchema = z.object({
  type: z.string().catch(''),
  status: z.string().catch(''),
  timestamp: count,
  request: z.unknown().optional(),
});

const requestSchema = z.object({
  exit_event: exitSchema.optional().catch(undefined),
  MonitorEvent: z
    .object({ exit_event: exitSchema.optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** One event of a machine. Its `timestamp` only orders the machine's events: it comes from another clock. */
export type MachineEvent = z.infer<typeof eventSchema>;

/** How a main process ended. */
export type Exit = z.infer<typeof exitSchema>;

/** What an exit means for the job. `errorClass` is null if the job did not fail. */
export interface Verdict {
  readonly errorClass: JobErrorClass | null;
  readonly message: string;
}

/** Returns a machine's events, newest first, whatever order Fly lists them in. */
export function eventsOf(machine: Machine): MachineEvent[] {
  return (machine.events ?? [])
    .flatMap((event) => eventSchema.safeParse(event).data ?? [])
    .sort((one, other) => other.timestamp - one.timestamp);
}

/** Returns true if the main process ever ran. */
export function hasStarted(events: readonly MachineEvent[]): boolean {
  return events.some(isStart);
}

/** Returns the newest exit that was final: nothing started after it, and Fly does not restart the machine. */
export function exitOf(events: readonly MachineEvent[]): Exit | null {
  const started = events.find(isStart)?.timestamp ?? 0;
  for (const event of events) {
    const exit = event.type === 'exit' && event.timestamp >= started ? exitIn(event) : null;
    if (exit && !exit.restarting) return exit;
  }
  return null;
}

/** Returns what an exit means. Only the caller knows who requested a stop. */
export function verdictOf(exit: Exit): Verdict {
  const code = exit.exit_code;
  const why = exit.guest_error || exit.error;
  const because = why ? `: ${why}` : '';
  if (exit.oom_killed) return { errorClass: 'oom_killed', message: `memory ran out (exit code ${code})` };
  if (exit.requested_stop) return { errorClass: null, message: '' };
  const signal = signalOf(exit);
  if (signal !== null) return { errorClass: 'killed_by_signal', message: `ended by ${signal}${because}` };
  if (code === 0) return { errorClass: null, message: '' };
  if (code >= 126 && code <= 128) {
    return {
      errorClass: 'start_failed',
      message: `the program could not be run (exit code ${code})${because}`,
    };
  }
  return { errorClass: 'exit_nonzero', message: `exit code ${code}${because}` };
}

function isStart({ type, status }: MachineEvent): boolean {
  return type === 'start' && status === 'started';
}

function exitIn({ request }: MachineEvent): Exit | null {
  const { data } = requestSchema.safeParse(request);
  return data?.exit_event ?? data?.MonitorEvent?.exit_event ?? null;
}

/** By shell convention, an exit code of 128 + n also means signal n. */
function signalOf({ exit_code, signal, guest_signal }: Exit): string | null {
  const number = [signal, guest_signal, exit_code - 128].find((each) => each > 0);
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  if (name !== undefined) return name === 'SIGKILL' ? 'SIGKILL, perhaps because memory ran out' : name;
  return signal > 0 || guest_signal > 0 ? `signal ${number}` : null;
}
