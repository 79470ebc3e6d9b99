const PROBES: readonly (string | undefined)[] = ['/health', '/ready'];

/**
 * Returns true for the path of a health probe. Probes bypass the guard: they arrive under any host name that a load
 * balancer uses, and reveal only a status.
 */
export function isProbe(path: string | undefined): boolean {
  return PROBES.includes(path);
}
