import { isIPv4 } from 'node:net';

/**
 * Returns true for a loopback host name without a port: `localhost`, 127.0.0.0/8, or `::1` with or without
 * brackets.
 */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  if (name === 'localhost' || name === '::1' || name === '[::1]') return true;
  return name.startsWith('127.') && isIPv4(name);
}
