import { codeOf, lineOf } from '../lib/text/error-line.ts';
import { StoreUnavailable } from './unavailable.ts';

/**
 * Returns why a database cannot answer now, in one line without secrets, or null if the fault is not
 * transient. Each dialect has one such function, and every call of its store and its catalog goes through it.
 */
export type ReasonOf = (error: unknown) => string | null;

/** The process has no file descriptor left. Closing a few connections cures this. */
const OUT_OF_DESCRIPTORS = /^E[MN]FILE$/;

/** Prisma's codes for a database that is unreachable, too slow or out of connections. */
const PRISMA_PASSING = /^(P1001|P1002|P1008|P1017|P2024|P2037)$/;

/** Converts a transient fault to `StoreUnavailable` with its reason. Returns any other error unchanged. */
export function asStoreFault(error: unknown, reasonOf: ReasonOf): unknown {
  if (error instanceof StoreUnavailable) return error;
  const reason = OUT_OF_DESCRIPTORS.test(codeOf(error)) ? lineOf(error) : reasonOf(error);
  return reason === null ? error : new StoreUnavailable(reason, { cause: error });
}

/**
 * Does the same for errors of Prisma. If Prisma passes the driver's error on, that error decides: inside of its
 * own error for a statement, or as it is if no connection could be opened.
 */
export function asCatalogFault(error: unknown, reasonOf: ReasonOf): unknown {
  if (!(error instanceof Error) || !/^(PrismaClient|DriverAdapterError$)/.test(error.name)) {
    return asStoreFault(error, reasonOf);
  }
  const reason = reasonOf(driverError(error)) ?? (PRISMA_PASSING.test(codeOf(error)) ? lineOf(error) : null);
  return reason === null ? error : new StoreUnavailable(reason, { cause: error });
}

/** Returns the driver's error below Prisma, or one without message and code if Prisma does not pass it on. */
function driverError(error: Error): Error {
  const adapterError = field(field(error, 'meta'), 'driverAdapterError') ?? error;
  const cause = field(adapterError, 'cause');
  const code = field(cause, 'originalCode');
  return Object.assign(new Error(String(field(cause, 'originalMessage') ?? '')), code ? { code } : {});
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
