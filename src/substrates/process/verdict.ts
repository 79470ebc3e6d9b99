import { constants } from 'node:os';
import type { JobErrorClass } from '../errors.ts';
import { isNoRoom, type JobFile, readJobFile } from '../job-folders/files.ts';
import { bootId, isAlive } from '../job-folders/proc.ts';
import type { JobObservation } from '../substrate.ts';

/** By shell convention: a program that was found but may not be run, and one that was not found. */
const COULD_NOT_RUN = [126, 127];

/** Returns what a job's files and the process table say about it. Null if it has no folder. */
export function observe(folder: string, child: JobFile<'child.json'> | null): JobObservation | null {
  const exit = readJobFile(folder, 'exit.json');
  if (exit) return verdictOf(exit);
  const claim = readJobFile(folder, 'pid.json');
  if (!claim) return readJobFile(folder, 'spec.json') && { status: 'provisioning' };
  if (claim.pid === 0) return { status: 'terminated' };
  if (isAlive(claim)) {
    if (readJobFile(folder, 'stop.json')) return { status: 'stopping' };
    return { status: child ? 'running' : 'provisioning' };
  }
  // The exit is the last thing that a shim writes: it may have come between the two checks.
  const late = readJobFile(folder, 'exit.json');
  return late ? verdictOf(late) : goneWithoutExit(folder, claim);
}

function goneWithoutExit(folder: string, claim: JobFile<'pid.json'>): JobObservation {
  if (claim.bootId !== bootId()) {
    return failed('host_lost', 'the machine was restarted while the process ran');
  }
  if (readJobFile(folder, 'stop.json')) return { status: 'terminated' };
  return failed('lost', 'the process is gone and left no exit status');
}

function verdictOf({ exitCode, signal, error, cause }: JobFile<'exit.json'>): JobObservation {
  if (error !== null) {
    return isNoRoom(error)
      ? failed('capacity', `the machine has no room for another process (${error})`)
      : failed('start_failed', `the command could not be started: ${whyNotStarted(error)}`);
  }
  const code = exitCode ?? 128 + signalNumber(signal);
  if (cause === 'deadline')
    return failed('max_duration_exceeded', 'the job exceeded its maximum run duration', code);
  if (cause === 'stop' || exitCode === 0) return { status: 'terminated', exitCode: code };
  if (exitCode === null) return failed('killed_by_signal', killedBy(signal), code);
  if (COULD_NOT_RUN.includes(code))
    return failed('start_failed', `the command could not be run (exit code ${code})`, code);
  return failed('exit_nonzero', `exit code ${code}`, code);
}

function whyNotStarted(code: string): string {
  if (code !== 'E2BIG') return code;
  return 'an argument or variable exceeds 128 KiB, or all of them together exceed the system’s limit (E2BIG)';
}

function killedBy(signal: string | null): string {
  return signal === 'SIGKILL' ? 'ended by SIGKILL, perhaps because memory ran out' : `ended by ${signal}`;
}

/** By shell convention, a process ended by a signal has the exit code 128 plus the signal's number. */
function signalNumber(name: string | null): number {
  return Object.entries(constants.signals).find(([signal]) => signal === name)?.[1] ?? 0;
}

function failed(errorClass: JobErrorClass, message: string, exitCode?: number): JobObservation {
  return {
    status: 'failed',
    terminalErrorClass: errorClass,
    terminalErrorMessage: message,
    ...(exitCode === undefined ? {} : { exitCode }),
  };
}
