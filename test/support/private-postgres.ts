import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fixedPort } from './ports.ts';
import { releaseAfterwards } from './releases.ts';

const run = promisify(execFile);

/** A Postgres server of one's own, to be stopped and started at will. */
export interface PrivatePostgres {
  /** Its `postgres` database, on the same port for as long as it lives. */
  readonly url: string;
  /** Resolves when it is down: `immediate` as in a crash, `fast` in order, breaking connections off either way. */
  stop(mode: 'immediate' | 'fast'): Promise<void>;
  /** Resolves when it takes connections again. */
  start(): Promise<void>;
  /** Stops it and removes its folder. Happens by itself at the end of the test or file; twice does no harm. */
  release(): Promise<void>;
}

/** The folder of `initdb` and `pg_ctl`: the PATH's, `pg_config`'s, or Debian's newest. Undefined without Postgres. */
export function postgresBinaries(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), ...configuredFolder(), ...debianFolders()];
  return folders.find((folder) => ['initdb', 'pg_ctl'].every((name) => existsSync(join(folder, name))));
}

/** Makes and starts a Postgres server in a folder of its own, on a free port of 127.0.0.1; takes a second or two. */
export async function privatePostgres(): Promise<PrivatePostgres> {
  const binaries = postgresBinaries();
  if (!binaries) throw new Error('a private Postgres server needs initdb and pg_ctl in the PATH');
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-postgres-'));
  const data = join(folder, 'data');
  const port = await fixedPort();
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''`;
  // Postgres refuses to run as root, which is who runs the tests in many a container.
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
