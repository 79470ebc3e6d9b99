import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { databaseFile } from '../../src/config/data-folder.ts';
import { type FakeFly, startFakeFly } from '../support/fake-fly/server.ts';
import { openOperatorFront } from '../support/operator-front.ts';
import { freePort } from '../support/ports.ts';
import { programGuest } from '../support/program-guest.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { type ServeProcess, startServe } from '../support/runfeed-process.ts';
import { execute } from '../support/sql.ts';
import { processesIn } from './executors/machine.ts';
import { filesIn, type Place } from './leaks.ts';

const RUNNER = fileURLToPath(new URL('children/telling-runner.mjs', import.meta.url));
const IMAGE = `registry.example/runner@sha256:${'ab'.repeat(32)}`;
export const WAIT = { timeout: 25_000, interval: 50 };

/** A server with a runner on each substrate. Both runners print everything they know. */
export interface TellingInstallation {
  readonly fly: FakeFly;
  readonly server: ServeProcess;
  /** The server's `/graphql`, called as the operator. */
  readonly graphql: string;
  /** Keyed by the environment variables that pass them to the server. */
  readonly secrets: Readonly<Record<'API_KEY' | 'SIGNING_KEY' | 'PEM', string>>;
  /** The server's own secrets, which no runner gets. */
  readonly ownSecrets: Readonly<Record<'FLY_TOKEN' | 'SECRET_KEYS' | 'ADMIN_TOKEN', string>>;
  /** Returns what a run's runner received, once it has printed everything. */
  claimed(runId: string): Promise<Claimed>;
  /** The server's own files of process jobs. */
  jobFiles(): Place[];
  /** The output of those jobs, as it is on disk. */
  printed(): Place[];
  /** Everything in the database. */
  stored(): Promise<Place[]>;
}

/** What a runner received, as it recorded it. */
export interface Claimed {
  readonly payload: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly claimToken: string;
  readonly token: string;
}

/** Returns a secret with odd characters, so that each way to write it differs. */
export function oddSecret(name: string): string {
  return `${name}-é<&>"\\ ?/+${randomBytes(9).toString('base64')}`;
}

/** Starts an installation on this database, with trace logs. */
export async function startTellingInstallation(databaseUrl: string): Promise<TellingInstallation> {
  const folder = mkdtempSync(join(tmpdir(), 'runfeed-secrets-'));
  const jobsFolder = join(folder, 'jobs');
  releaseAfterwards(() => {
    for (const pid of processesIn(folder)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const secrets = {
    API_KEY: oddSecret('provider'),
    SIGNING_KEY: oddSecret('runner'),
    PEM: `BEGIN\n${randomBytes(24).toString('base64')}\nEND`,
  };
  const ownSecrets = {
    FLY_TOKEN: `fm2_${randomBytes(24).toString('hex')}`,
    SECRET_KEYS: randomBytes(32).toString('base64'),
    ADMIN_TOKEN: randomBytes(32).toString('hex'),
  };
  const fly = await startFakeFly({
    token: ownSecrets.FLY_TOKEN,
    guestOf: (machine) => programGuest(RUNNER, machine, folder),
  });
  releaseAfterwards(() => fly.close());
  writeFileSync(join(folder, 'runners.json'), runnersFile(fly));
  writeFileSync(join(folder, 'admin-token'), ownSecrets.ADMIN_TOKEN);
  const port = await freePort();
  const server = await startServe({
    ...secrets,
    ...ownSecrets,
    DATABASE_URL: databaseUrl,
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ADMIN_TOKEN_FILE: join(folder, 'admin-token'),
    RUNNERS_FILE: join(folder, 'runners.json'),
    JOBS_FOLDER: jobsFolder,
    LOG_LEVEL: 'trace',
  });
  const isPrinted = (path: string) => /^log(\.1)?$/.test(basename(path));
  return {
    fly,
    server,
    graphql: await openOperatorFront(server.graphql, ownSecrets.ADMIN_TOKEN),
    secrets,
    ownSecrets,
    claimed: async (runId) => {
      const find = () => filesIn(folder, (path) => basename(path) === `claimed-${runId}.json`);
      await expect.poll(find, WAIT).toHaveLength(1);
      return JSON.parse(String(find()[0]!.content)) as Claimed;
    },
    // `work` belongs to the runner.
    jobFiles: () => filesIn(jobsFolder, (path) => !isPrinted(path) && basename(dirname(path)) !== 'work'),
    printed: () => filesIn(jobsFolder, isPrinted),
    stored: () => storedIn(databaseUrl),
  };
}

/** Returns a runners file that contains no secret: they come from the server's environment. */
function runnersFile(fly: FakeFly): string {
  const secrets = { SIGNING_KEY: '$SIGNING_KEY', PEM: '$PEM' };
  return JSON.stringify({
    runners: {
      local: { substrate: 'process', command: [process.execPath, RUNNER], secrets },
      remote: { substrate: 'fly', image: IMAGE, regions: ['ams'], secrets },
    },
    providers: { openai: { baseUrl: 'http://127.0.0.1:9/v1', key: '$API_KEY' } },
    substrates: { fly: { token: '$FLY_TOKEN', org: fly.world.org, pollMs: 250, ...fly.urls } },
  });
}

/** Returns the files of SQLite, including its WAL, or the rows of every table. */
async function storedIn(databaseUrl: string): Promise<Place[]> {
  if (databaseUrl.startsWith('file:')) {
    const file = databaseFile(databaseUrl);
    expect(existsSync(`${file}-wal`)).toBe(true);
    return filesIn(dirname(file), (path) => path.startsWith(file));
  }
  const tables = await execute(
    databaseUrl,
    `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  const places = tables.map(async ({ table_name: name }) => {
    const rows = await execute(databaseUrl, `SELECT row_to_json(t) AS row FROM "${name}" t`);
    return { name: `table ${name}`, content: JSON.stringify(rows) };
  });
  return Promise.all(places);
}
