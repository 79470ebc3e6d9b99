import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fixedPort } from './ports.ts';
import { releaseAfterwards } from './releases.ts';

const run = promisify(execFile);

/** A private Postgres server that the test can stop and start. */
export interface PrivatePostgres {
  /** The URL of its `postgres` database. The port never changes. */
  readonly url: string;
  /**
   * Stops the server, like a crash (`immediate`) or in order (`fast`). Both break connections. Resolves when
   * it is down.
   */
  stop(mode: 'immediate' | 'fast'): Promise<void>;
  /** Starts the server. Resolves when it accepts connections. */
  start(): Promise<void>;
  /**
   * Stops the server and removes its folder. Called automatically at the end of the test or file. Repeated
   * calls are harmless.
   */
  release(): Promise<void>;
}

/**
 * Returns the folder of `initdb` and `pg_ctl` from the PATH, `pg_config`, or Debian's newest version.
 * Undefined without Postgres.
 */
export function postgresBinaries(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), ...configuredFolder(), ...debianFolders()];
  return folders.find((folder) => ['initdb', 'pg_ctl'].every((name) => existsSync(join(folder, name))));
}

/**
 * Creates and starts a Postgres server in a temporary folder, on a free port of 127.0.0.1. Takes a second or
 * two.
 */
export async function privatePostgres(): Promise<PrivatePostgres> {
  const binaries = postgresBinaries();
  if (!binaries) throw new Error('a private Postgres server requires initdb and pg_ctl in the PATH');
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-postgres-'));
  const data = join(folder, 'data');
  const port = await fixedPort();
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''`;
  // Postgres refuses to run as root, and in many containers the tests run as root.
  const asRoot = process.getuid?.() === 0;
  const call = async (program: string, ...args: string[]): Promise<void> => {
    const command = [join(binaries, program), ...args];
    await run(asRoot ? 'runuser' : command[0]!, asRoot ? ['-u', 'postgres', '--', ...command] : args, {
      cwd: folder,
    });
  };
  const start = () => call('pg_ctl', 'start', '-w', '-D', data, '-l', join(folder, 'log'), '-o', options);
  const stop = (mode: 'immediate' | 'fast') => call('pg_ctl', 'stop', '-w', '-D', data, '-m', mode);
  const release = async () => {
    if (existsSync(join(data, 'postmaster.pid'))) await stop('immediate');
    await rm(folder, { recursive: true, force: true });
  };
  releaseAfterwards(release);
  if (asRoot) await run('chown', ['postgres', folder]);
  await call('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync');
  await start();
  return { url: `postgresql://postgres@127.0.0.1:${port}/postgres`, stop, start, release };
}

function configuredFolder(): string[] {
  try {
    return [execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: 'pipe' }).trim()];
  } catch {
    return [];
  }
}

function debianFolders(): string[] {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return [];
  const versions = readdirSync(base).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(base, version, 'bin'));
}
