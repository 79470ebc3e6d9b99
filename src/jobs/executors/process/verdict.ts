import { constants } from 'node:os';
import type { JobErrorClass } from '../../errors.ts';
import type { JobObservation } from '../../substrate.ts';
import { isNoRoom, type JobFile, readJobFile } from './files.ts';
import { bootId, isAlive } from './proc.ts';

/** By a shell's custom: a program that it found and may not run, and one that it did not find. */
const COULD_NOT_RUN = [126, 127];

/** What a job's files and the process table say of it; null when it has no folder. */
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
  // The exit is the last thing that a shim writes: it may have come between our two looks.
  const late = readJobFile(folder, 'exit.json');
  return late ? verdictOf(late) : goneWithoutExit(folder, claim);
}

function goneWithoutExit(folder: string, claim: JobFile<'pid.json'>): JobObservation {
  if (claim.bootId !== bootId()) {
    return failed('host_lost', 'the machine was started anew while the process ran');
  }
  if (readJobFile(folder, 'stop.json')) return { status: 'terminated' };
  return failed('lost', 'the process is gone and has left no exit');
}

function verdictOf({ exitCode, signal, error, cause }: JobFile<'exit.json'>): JobObservation {
  if (error !== null) {
    return isNoRoom(error)
      ? failed('capacity', `the machine has no room for another process (${error})`)
      : failed('start_failed', `the command could not be started: ${whyNotStarted(error)}`);
  }
  const code = exitCode ?? 128 + signalNumber(signal);
  if (cause === 'deadline')
    return failed('max_duration_exceeded', 'the longest time for a run is over', code);
  if (cause === 'stop' || exitCode === 0) return { status: 'terminated', exitCode: code };
  if (exitCode === null) return failed('killed_by_signal', killedBy(signal), code);
  if (COULD_NOT_RUN.includes(code))
    return failed('start_failed', `the command could not be run (exit code ${code})`, code);
  return failed('exit_nonzero', `exit code ${code}`, code);
}

function whyNotStarted(code: string): string {
  if (code !== 'E2BIG') return code;
  return 'an argument or a variable is longer than 128 KiB, or all of them are longer than the system takes (E2BIG)';
}

function killedBy(signal: string | null): string {
  return signal === 'SIGKILL' ? 'ended by SIGKILL, perhaps for want of memory' : `ended by ${signal}`;
}

/** As shells count: what a signal ended has 128 and its number for an exit code. */
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
