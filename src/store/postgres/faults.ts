import { codeOf, lineOf } from '../../lib/error-line.ts';

/**
 * SQLSTATE classes and codes that say "not now" rather than "never": the connection (08), who may connect (28, which
 * an operator mends without a restart), resources (53), an operator's or a timeout's cancel, a server that starts,
 * stops or fails over (57, 25006), conflicts that another try resolves (40001, 40P01, 55P03), and a failing device
 * (58030). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const PASSING_STATE = /^(08...|28...|53...|57...|25006|40001|40P01|55P03|58030)$/;

/** Node's names for a network that failed under the connection. */
const NETWORK_CODE =
  /^E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)$/;

/** What the driver says in words alone, without a code. */
const DRIVER_MESSAGE =
  /Connection terminated|connection error|Query read timeout|Client was closed|server closed the connection/i;

/** What the driver's pool says when all of its connections are in use for as long as a call waits for one. */
const POOL_EXHAUSTED = /timeout exceeded when trying to connect/i;

/** Why Postgres cannot answer now; null when the same call would fail again. */
export function postgresReason(error: unknown): string | null {
  // Each address of a host name was tried: the first reason says enough.
  if (error instanceof AggregateError) {
    return error.errors.map(postgresReason).find((reason) => reason !== null) ?? null;
  }
  if (!(error instanceof Error)) return null;
  const code = codeOf(error);
  if (code) {
    return PASSING_STATE.test(code) || NETWORK_CODE.test(code) ? lineOf(error) : null;
  }
  if (POOL_EXHAUSTED.test(error.message)) return 'every connection of the pool stayed in use';
  return DRIVER_MESSAGE.test(error.message) ? lineOf(error) : null;
}
