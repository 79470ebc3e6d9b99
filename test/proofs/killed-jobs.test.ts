import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { processesIn, WAIT } from '../jobs/executors/machine.ts';
import { describeStores } from '../support/databases.ts';
import { ADMIN_TOKEN, openOperatorFront } from '../support/operator-front.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { makeUpPlan } from './job-plan.ts';
import { PLANNED_RUNNER, startPlannedMachines } from './planned-machines.ts';
import { type JobTally, startProvenJob } from './proven-job.ts';
import { startRestartableServer } from './restartable-server.ts';
import { PROOF_JOBS, PROOF_JOBS_TIMEOUT_MS } from './size.ts';

const IMAGE = `registry.example/runner@sha256:${'ab'.repeat(32)}`;

const KILLS = Math.ceil(PROOF_JOBS / 2);
/** The longest life of a server once it listens, in milliseconds. */
const LONGEST_LIFE_MS = 1_500;
/** The time in which the jobs start, in milliseconds. The server's starts come on top. */
const SPAN_MS = (KILLS * LONGEST_LIFE_MS) / 2;
/** A job that a killed server was handling is taken over after ten seconds. */
const SETTLED = { ...WAIT, timeout: 60_000 };

describeStores('jobs whose server is killed repeatedly', (database) => {
  test(
    'end once each, with the events of one instance, and leave nothing behind',
    async () => {
      const { fly, folder: machinesFolder, twins } = await startPlannedMachines();
      const folder = mkdtempSync(join(tmpdir(), 'runfeed-killed-jobs-'));
      const jobsFolder = join(folder, 'jobs');
      const runnersFile = join(folder, 'runners.json');
      const { token } = fly.world;
      const runners = {
        runners: {
          local: { substrate: 'process', command: [process.execPath, PLANNED_RUNNER] },
          remote: { substrate: 'fly', image: IMAGE, regions: ['ams'] },
        },
        substrates: { fly: { token, org: fly.world.org, pollMs: 250, ...fly.urls } },
      };
      writeFileSync(runnersFile, JSON.stringify(runners));
      releaseAfterwards(() => {
        for (const pid of processesIn(folder)) process.kill(pid, 'SIGKILL');
        rmSync(folder, { recursive: true, force: true });
      });
      const adminTokenFile = join(folder, 'admin-token');
      writeFileSync(adminTokenFile, ADMIN_TOKEN);
      const server = await startRestartableServer(await database.freshUrl(), {
        ADMIN_TOKEN_FILE: adminTokenFile,
        RUNNERS_FILE: runnersFile,
        JOBS_FOLDER: jobsFolder,
        SECRET_KEYS: randomBytes(32).toString('base64'),
      });

      const graphql = await openOperatorFront(server.graphql);
      const jobs = Array.from({ length: PROOF_JOBS }, (_, index) =>
        ['local', 'remote'].map((runner) =>
          startProvenJob(graphql, makeUpPlan(`${runner}-${index}`, runner, SPAN_MS)),
        ),
      ).flat();
      let hit = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        await sleep(Math.random() * LONGEST_LIFE_MS);
        hit += jobs.filter((job) => job.lives()).length;
        await server.kill();
        await server.start();
      }

      await Promise.all(jobs.map(({ over }) => over));
      const tallies: JobTally[] = [];
      for (const job of jobs) tallies.push(await job.expectOneEnd());
      await expect.poll(() => [folder, machinesFolder].flatMap(processesIn), SETTLED).toEqual([]);
      const left = () => fly.world.machines.filter(({ state }) => state !== 'destroyed');
      await expect.poll(left, SETTLED).toEqual([]);
      tellJobs(`${KILLS} kills that hit ${hit} lives, ${twins()} twins`, tallies);
    },
    PROOF_JOBS_TIMEOUT_MS,
  );
});

/** Prints the results if a proof size was requested. */
function tellJobs(what: string, tallies: readonly JobTally[]): void {
  if (process.env.RUNFEED_PROOF_SIZE === undefined && process.env.RUNFEED_PROOF_JOBS === undefined) return;
  const ends = new Map<string, number>();
  for (const { status, outcome } of tallies) {
    const end = `${status} and ${outcome}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const sum = (pick: (tally: JobTally) => number) => tallies.reduce((total, tally) => total + pick(tally), 0);
  console.info(
    `${what}: ${tallies.length} jobs, ${sum(({ events }) => events)} events, ` +
      `${sum(({ reconnects }) => reconnects)} reconnects; ` +
      [...ends].map(([end, count]) => `${count} ${end}`).join(', '),
  );
}
