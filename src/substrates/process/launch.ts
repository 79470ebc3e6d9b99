import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SubstrateError } from '../errors.ts';
import { readJobFile } from '../job-folders/files.ts';
import type { Order } from './order.ts';

const LOOK_MS = 10;

/**
 * Starts a shim in a job's folder and waits until some shim has taken the right to start the command: this
 * one, or a faster one of another server. Slower shims exit.
 */
export async function launchShim(
  folder: string,
  order: Order,
  environment: Readonly<Record<string, string>>,
  waitMs: number,
): Promise<void> {
  const shim = spawn(process.execPath, [shimFile()], {
    cwd: folder,
    detached: true,
    env: { ...environment },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  let failure: Error | null = null;
  shim.on('error', (error) => {
    failure = error;
  });
  // If the shim exits before it has read everything, the loop below reports its exit.
  shim.stdin.on('error', () => {});
  shim.stdin.end(JSON.stringify(order));
  shim.unref();

  const until = performance.now() + waitMs;
  while (performance.now() < until) {
    const ended = shim.exitCode !== null || shim.signalCode !== null;
    if (readJobFile(folder, 'pid.json')) return;
    if (failure) throw failure;
    if (ended) {
      throw new SubstrateError({
        errorClass: 'substrate_error',
        message: `the shim of a job exited before it was ready (${shim.signalCode ?? `exit code ${shim.exitCode}`})`,
        transient: true,
      });
    }
    await setTimeout(LOOK_MS);
  }
  throw new SubstrateError({
    errorClass: 'substrate_error',
    message: `the shim of a job was not ready within ${waitMs} ms`,
    transient: true,
    mayExist: true,
  });
}

/** Node 20 does not run TypeScript: if this file is TypeScript, as in tests, the shim runs from the build. */
function shimFile(): string {
  const built = !import.meta.url.endsWith('.ts');
  return fileURLToPath(
    new URL(built ? '../shim/shim.js' : '../../../dist/substrates/shim/shim.js', import.meta.url),
  );
}
