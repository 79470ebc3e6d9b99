import { codeOf, lineOf } from '../../lib/text/error-line.ts';

/**
 * SQLSTATE classes and codes that mean "not now" rather than "never": connection faults (08), denied access
 * (28, which an operator can fix without a restart), lack of resources (53), cancellation by an operator or a
 * timeout, a server that starts, stops or fails over (57, 25006), conflicts that a retry resolves (40001,
 * 40P01, 55P03), and a failing device (58030). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const PASSING_STATE = /^(08...|28...|53...|57...|25006|40001|40P01|55P03|58030)$/;

/** Other transactions hold what a statement needs: a conflict (40001, 40P01), or it waited too long (55P03). */
const LOCK_CONFLICT = /^(40001|40P01|55P03)$/;

/** Node's codes for a network failure. */
const NETWORK_CODE =
  /^E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)$/;

/** Messages of driver errors that have no code. */
const DRIVER_MESSAGE =
  /Connection terminated|connection error|Query read timeout|Client was closed|server closed the connection/i;

/** The pool's message if all connections stay in use for as long as a call waits for one. */
const POOL_EXHAUSTED = /timeout exceeded when trying to connect/i;

/** Returns true if a statement failed because of what other transactions hold. */
export function isLockConflict(error: unknown): boolean {
  return LOCK_CONFLICT.test(codeOf(error));
}

/** Returns why Postgres cannot answer now, or null if the same call would fail again. */
export function postgresReason(error: unknown): string | null {
  // One error per address of the host name. The first transient one is enough.
  if (error instanceof AggregateError) {
    return error.errors.map(postgresReason).find((reason) => reason !== null) ?? null;
  }
  if (!(error instanceof Error)) return null;
  const code = codeOf(error);
  if (code) {
    return PASSING_STATE.test(code) || NETWORK_CODE.test(code) ? lineOf(error) : null;
  }
  if (POOL_EXHAUSTED.test(error.message)) return 'all connections of the pool are in use';
  return DRIVER_MESSAGE.test(error.message) ? lineOf(error) : null;
}
