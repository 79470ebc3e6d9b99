import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { SubstrateError } from '../errors.ts';
import { bootId } from '../job-folders/proc.ts';

/** Throws a {@link SubstrateError} if the machine has no Linux `/proc`. */
export function requireLinux(): void {
  try {
    bootId();
  } catch (error) {
    throw new SubstrateError(
      {
        errorClass: 'config_invalid',
        message: 'jobs as processes need Linux with /proc: use another substrate on this machine',
      },
      { cause: error },
    );
  }
}

/** Returns a name for this machine: its host name, and a digest of its machine id, which is confidential. */
export function machineName(): string {
  return `${hostname()}-${createHash('sha256').update(machineKey()).digest('hex').slice(0, 8)}`;
}

function machineKey(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
