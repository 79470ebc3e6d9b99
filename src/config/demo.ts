import { join } from 'node:path';
import { readConfig } from './env.ts';

/**
 * Reads the configuration of a demo's server: its store is in the folder, and PORT, by default a free one, is the
 * only variable that counts.
 */
export function readDemoConfig(
  folder: string,
  { PORT }: Readonly<Record<string, string | undefined>> = process.env,
): ReturnType<typeof readConfig> {
  return readConfig({
    PORT: PORT || '0',
    DATABASE_URL: `file:${join(folder, 'demo.db')}`,
    LOG_LEVEL: 'warn',
  });
}
