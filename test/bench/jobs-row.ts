import { PROCESS_SUBSTRATE_LIMITS } from '../../src/substrates/process/options.ts';
import { ask, startPartner } from './child.ts';
import type { JobFigures } from './job-load.ts';
import type { JobOrder } from './job-servers.ts';
import type { Contestant, Entrant, Line, Row } from './row.ts';
import { makeScratchDatabase } from './scratch-database.ts';
import type { Stage } from './stage.ts';

const LINES: readonly (Line & { readonly figure: keyof JobFigures })[] = [
  { title: 'processor', unit: 'ms/s', goals: [], figure: 'cpuMs' },
  { title: 'statements that read', unit: '/s', goals: [], figure: 'reads' },
  { title: 'statements that write', unit: '/s', goals: [], figure: 'writes' },
  { title: 'checks of the substrate', unit: '/s', goals: [], figure: 'looks' },
];

/**
 * The cost of looking after running jobs, with a real store and a substrate that costs nothing. Every job
 * must be checked, and none more often than a process substrate allows.
 */
export function jobsRow(jobs: number): Row {
  const { pollMs } = PROCESS_SUBSTRATE_LIMITS;
  return {
    title: `${jobs.toLocaleString('en-US')} jobs in flight, each checked every ${pollMs} ms`,
    baseline: 'one lease and one release per tick, nothing decided or stored',
    lines: LINES,
    rhythm: 'once',
    enter: async (stage) => [
      await enter(stage, 'ours', { by: 'our reconciler', jobs, pollMs }),
      await enter(stage, 'baseline', { by: 'the bare minimum', jobs, pollMs }),
    ],
  };
}

async function enter(stage: Stage, contestant: Contestant, order: JobOrder): Promise<Entrant> {
  const database = await makeScratchDatabase(stage.postgresUrl);
  const child = startPartner('job-load.ts', { DATABASE_URL: database.url });
  const close = async () => {
    await child.stop();
    await database.drop();
  };
  try {
    await ask(child, null);
    await ask(child, order);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    contestant,
    round: async (ms) => {
      // Measured once, hence for longer, and in any case long enough that every job is checked.
      const figures = (await ask(child, { ms: Math.max(2 * ms, 3 * order.pollMs) })) as JobFigures;
      return LINES.map(({ figure }) => figures[figure]);
    },
    close,
  };
}
