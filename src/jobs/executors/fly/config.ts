import { z } from 'zod';

/** Names of apps have at most 62 characters, of which 21 are ours. */
const APP_PREFIX = /^[a-z][a-z0-9-]{0,39}[a-z0-9]$/;

const MAX_GRACE_MS = 300_000;

/** Where and as whom jobs run on Fly. Everything but the token and the organization has a default. */
export const flyConfigSchema = z.strictObject({
  /** Of the organization: it has to create apps. Sent to the three addresses below and told to nobody. */
  token: z.string().trim().min(1),
  /** The organization's slug. */
  org: z.string().regex(/^[a-z0-9-]+$/, 'must be the slug of an organization'),
  /** What our apps' names begin with. Two installations in one organization need different ones. */
  appPrefix: z
    .string()
    .regex(APP_PREFIX, 'must be 2 to 41 lowercase letters, digits and dashes, with a letter first')
    .default('runfeed'),
  /** The Machines API. */
  apiUrl: z.url().default('https://api.machines.dev/v1'),
  logsUrl: z.url().default('https://api.fly.io/api/v1'),
  /** The organization's slug is appended. */
  metricsUrl: z.url().default('https://api.fly.io/prometheus'),
  /** Where to go, in this order, when the region that was asked for has no room. */
  fallbackRegions: z.array(z.string().regex(/^[a-z]{3}$/, 'must be a region such as ams')).default([]),
  cpuKind: z.enum(['shared', 'performance']).default('shared'),
  /** Between SIGTERM and SIGKILL where a stop does not say, in milliseconds. Fly's own maximum is 300,000. */
  graceMs: z.int().min(1).max(MAX_GRACE_MS).default(10_000),
  /** How often a job may be looked at, in milliseconds. Fly answers five looks a second for each machine. */
  pollMs: z.int().min(200).default(1_000),
});

/** See {@link flyConfigSchema}. */
export type FlyConfig = z.infer<typeof flyConfigSchema>;

/** How often and how long things are tried. */
export interface FlyLimits {
  /** One request. Default 20 s. */
  readonly requestMs: number;
  /** One call of the substrate with all its requests and pauses. Default 120 s. */
  readonly callMs: number;
  /** How often a request that can be repeated is sent before the call fails. Default 4. */
  readonly tries: number;
  /** The pause before the second try; up to twice as long before each further one. Default 500 ms. */
  readonly pauseMs: number;
  /** The longest pause within a call; where a longer one is needed the call fails and tells. Default 10 s. */
  readonly maxPauseMs: number;
  /** Half of the pause before looking for what an unclear create may have made. Default 500 ms. */
  readonly lookPauseMs: number;
  /** Fly lets one request an action and object through in this time, and three at once. Default 1 s. */
  readonly rateMs: number;
  /** How often a destroyed machine is looked at until it is gone. Default 20. */
  readonly goneLooks: number;
  /** An answer is read up to this size. Default 32 MiB. */
  readonly maxAnswerBytes: number;
  /** How old a job's figures get before they are asked for again. Default 10 s. */
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

/** Where what needs a person's eye is told. */
export interface FlyLog {
  warn(fields: object, message: string): void;
}
