import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { ResourceStats, RunnerJobHandle } from '../../contract/jobs.ts';
import type { Calls } from '../fly-api/calls.ts';
import type { FlyConfig, FlyLimits } from '../fly-api/config.ts';
import type { Send } from '../fly-api/http.ts';

/** What running machines use, requested in the background. */
export interface FlyStats {
  /** Returns the last known figures, if any, and requests newer ones for later. Never waits or fails. */
  latest(handle: RunnerJobHandle): ResourceStats | undefined;
}

interface Kept {
  askedAt: number;
  stats: ResourceStats | undefined;
}

const MACHINES_REMEMBERED = 10_000;
const BYTES_PER_MB = 2 ** 20;

const vectorSchema = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.object({ __name__: z.string().catch(''), device: z.string().optional() }),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
});

type Sample = z.infer<typeof vectorSchema>['data']['result'][number];

/** Creates stats that query the organization's metrics for each machine at most every `statsMs`. */
export function createStats(send: Send, calls: Calls, config: FlyConfig, limits: FlyLimits): FlyStats {
  const kept = new LRUCache<string, Kept>({ max: MACHINES_REMEMBERED });
  const base = `${config.metricsUrl.replace(/\/$/, '')}/${encodeURIComponent(config.org)}/api/v1/query`;

  async function query(text: string, signal: AbortSignal): Promise<Sample[]> {
    const url = new URL(base);
    url.searchParams.set('query', text);
    const answer = await send({ method: 'GET', url }, signal);
    if (answer.kind !== 'answered' || answer.status !== 200) return [];
    return vectorSchema.safeParse(answer.body).data?.data.result ?? [];
  }

  async function ask(machineId: string, signal: AbortSignal): Promise<ResourceStats | undefined> {
    const instance = `instance=${JSON.stringify(machineId)}`;
    const [gauges, cpu] = await Promise.all([
      query(
        `{__name__=~"fly_instance_memory_mem_(total|available)|fly_instance_net_(recv|sent)_bytes",${instance}}`,
        signal,
      ),
      // The counter is in hundredths of a second, so its rate is in percent of a core.
      query(`sum(rate(fly_instance_cpu{${instance},mode!~"idle|iowait|steal"}[1m]))`, signal),
    ]);
    return statsOf(gauges, cpu);
  }

  return {
    latest({ machineId }) {
      const entry = kept.get(machineId) ?? { askedAt: Number.NEGATIVE_INFINITY, stats: undefined };
      kept.set(machineId, entry);
      if (performance.now() - entry.askedAt >= limits.statsMs) {
        entry.askedAt = performance.now();
        calls
          .run(String, async ({ signal }) => {
            entry.stats = await ask(machineId, signal);
          })
          // Only a closed substrate refuses calls.
          .catch(() => {});
      }
      return entry.stats;
    },
  };
}

function statsOf(gauges: readonly Sample[], cpu: readonly Sample[]): ResourceStats | undefined {
  const figureOf = (name: string, device?: string) =>
    numberOf(gauges.find(({ metric }) => metric.__name__ === name && metric.device === device));
  const total = figureOf('fly_instance_memory_mem_total');
  const available = figureOf('fly_instance_memory_mem_available');
  const figures: Record<keyof ResourceStats, number | undefined> = {
    cpuPercent: numberOf(cpu[0]),
    memoryMb: total === undefined || available === undefined ? undefined : (total - available) / BYTES_PER_MB,
    networkRxBytes: figureOf('fly_instance_net_recv_bytes', 'eth0'),
    networkTxBytes: figureOf('fly_instance_net_sent_bytes', 'eth0'),
  };
  const known = Object.entries(figures).filter(([, figure]) => figure !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function numberOf(sample: Sample | undefined): number | undefined {
  const number = Number(sample?.value[1]);
  return sample && Number.isFinite(number) && number >= 0 ? number : undefined;
}
