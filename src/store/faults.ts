import { codeOf, lineOf } from '../lib/error-line.ts';
import { StoreUnavailable } from './store.ts';

/**
 * Why a database cannot do something now, in one line without secrets; null when the fault is not of the passing kind.
 * Each dialect has one such function, and every call of its store and its catalogue goes through it.
 */
export type ReasonOf = (error: unknown) => string | null;

/** The process has no file descriptor left. Closing a few connections ends it. */
const OUT_OF_DESCRIPTORS = /^E[MN]FILE$/;

/** Prisma's own codes for a database that cannot be reached, is too slow or has no connection left. */
const PRISMA_PASSING = /^(P1001|P1002|P1008|P1017|P2024|P2037)$/;

/** A passing fault as `StoreUnavailable` with its reason; anything else as it is. */
export function asStoreFault(error: unknown, reasonOf: ReasonOf): unknown {
  if (error instanceof StoreUnavailable) return error;
  const reason = OUT_OF_DESCRIPTORS.test(codeOf(error)) ? lineOf(error) : reasonOf(error);
  return reason === null ? error : new StoreUnavailable(reason, { cause: error });
}

/** The same for what Prisma throws: the driver's own error decides where Prisma passes it on. */
export function asCatalogFault(error: unknown, reasonOf: ReasonOf): unknown {
  if (!(error instanceof Error) || !error.name.startsWith('PrismaClient')) {
    return asStoreFault(error, reasonOf);
  }
  const reason = reasonOf(driverError(error)) ?? (PRISMA_PASSING.test(codeOf(error)) ? lineOf(error) : null);
  return reason === null ? error : new StoreUnavailable(reason, { cause: error });
}

/** What the driver threw below Prisma; an error without words or code where Prisma does not pass it on. */
function driverError(error: Error): Error {
  const meta: unknown = 'meta' in error ? error.meta : null;
  const cause = field(field(meta, 'driverAdapterError'), 'cause');
  const code = field(cause, 'originalCode');
  return Object.assign(new Error(String(field(cause, 'originalMessage') ?? '')), code ? { code } : {});
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
