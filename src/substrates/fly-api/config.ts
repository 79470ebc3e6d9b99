import { z } from 'zod';

/** App names have at most 62 characters, of which runfeed adds 21. */
const APP_PREFIX = /^[a-z][a-z0-9-]{0,39}[a-z0-9]$/;

const MAX_GRACE_MS = 300_000;

/** How jobs run on Fly. Everything except the token and the organization has a default. */
export const flyConfigSchema = z.strictObject({
  /** The organization's token, which must be able to create apps. Sent only to the three addresses below. */
  token: z.string().trim().min(1),
  /** The organization's slug. */
  org: z.string().regex(/^[a-z0-9-]+$/, 'must be the slug of an organization'),
  /** The prefix of app names. Two installations in one organization need different ones. */
  appPrefix: z
    .string()
    .regex(APP_PREFIX, 'must be 2 to 41 lowercase letters, digits and dashes, starting with a letter')
    .default('runfeed'),
  /** The Machines API. */
  apiUrl: z.url().default('https://api.machines.dev/v1'),
  logsUrl: z.url().default('https://api.fly.io/api/v1'),
  /** The organization's slug is appended. */
  metricsUrl: z.url().default('https://api.fly.io/prometheus'),
  /** Regions to try, in this order, if the requested region has no capacity. */
  fallbackRegions: z.array(z.string().regex(/^[a-z]{3}$/, 'must be a region such as ams')).default([]),
  cpuKind: z.enum(['shared', 'performance']).default('shared'),
  /** Time from SIGTERM to SIGKILL for a stop without `graceMs`, in milliseconds. Fly's maximum is 300,000. */
  graceMs: z.int().min(1).max(MAX_GRACE_MS).default(10_000),
  /** Time between two status checks of a job, in milliseconds. Fly permits five a second per machine. */
  pollMs: z.int().min(200).default(1_000),
});

/** See {@link flyConfigSchema}. */
export type FlyConfig = z.infer<typeof flyConfigSchema>;

/** Time limits, retries and sizes of calls to Fly. */
export interface FlyLimits {
  /** Time limit of one request. Default 20 s. */
  readonly requestMs: number;
  /** Time limit of one call of the substrate, with all its requests and pauses. Default 120 s. */
  readonly callMs: number;
  /** How often a repeatable request is sent before the call fails. Default 4. */
  readonly tries: number;
  /** The pause before the second try; up to twice as long before each further one. Default 500 ms. */
  readonly pauseMs: number;
  /** The longest pause within a call. If a longer one is needed, the call fails and says so. Default 10 s. */
  readonly maxPauseMs: number;
  /** Half of the longest pause before looking for what an unclear create may have made. Default 500 ms. */
  readonly lookPauseMs: number;
  /** Fly permits one request per action and object in this time, and three at once. Default 1 s. */
  readonly rateMs: number;
  /** How often to check whether a destroyed machine is gone. Default 20. */
  readonly goneLooks: number;
  /** The largest answer that is read. Default 32 MiB. */
  readonly maxAnswerBytes: number;
  /** How old a job's figures get before they are requested again. Default 10 s. */
  readonly statsMs: number;
}

export const FLY_LIMITS: FlyLimits = {
  requestMs: 20_000,
  callMs: 120_000,
  tries: 4,
  pauseMs: 500,
  maxPauseMs: 10_000,
  lookPauseMs: 500,
  rateMs: 1_000,
  goneLooks: 20,
  maxAnswerBytes: 32 * 1024 * 1024,
  statsMs: 10_000,
};

/** Receives what needs an operator's attention. */
export interface FlyLog {
  warn(fields: object, message: string): void;
}
