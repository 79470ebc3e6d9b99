import { z } from 'zod';
import { clipEnd } from '../../lib/text/clip.ts';
import type { JobErrorClass } from '../errors.ts';
import { SubstrateError, type SubstrateFailure } from '../errors.ts';
import type { Answer } from './http.ts';

/** What a request without a successful answer means to its caller. */
export type FaultKind =
  /** Nothing was sent: too many requests were waiting, or the call ended first. */
  | 'unsent'
  /** The request may have been carried out: no answer, a fault of Fly itself, or an unreadable success. */
  | 'unclear'
  /** Too many requests. */
  | 'throttled'
  /** Another client is changing the same object. */
  | 'busy'
  /** No capacity in that region. */
  | 'capacity'
  /** A limit of the organization. */
  | 'quota'
  | 'auth'
  | 'missing'
  /** The name is in use. */
  | 'taken'
  | 'invalid';

/** See {@link FaultKind}. */
export interface Fault {
  readonly kind: FaultKind;
  /** Null without an answer. */
  readonly status: number | null;
  /** For people. Contains no secrets. */
  readonly message: string;
  readonly retryAfterMs: number | null;
  /** The id of the machine that holds the name, if Fly says it. */
  readonly holder: string | null;
}

const MAX_MESSAGE_LENGTH = 500;
/** The longest wait that Fly can ask for. */
const MAX_RETRY_AFTER_MS = 300_000;

const CAPACITY_STATUSES = ['insufficient_capacity', 'volume_placement_capacity'];
const CAPACITY_TEXT =
  /insufficient \w+ available|no capacity|out of capacity|could not find a candidate host|insufficient resources/i;
const CAPACITY_CODES = [400, 409, 412, 422, 503];
const QUOTA_TEXT = /\bquota\b/i;
const BUSY_TEXT = /concurrent update|\blease\b/i;
const HOLDER = /unique machine name violation.*?machine ID ([0-9a-z]+)/i;

const bodySchema = z.object({
  error: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
});

/** Returns what this answer to `action` means, including a success that could not be read. */
export function faultOf(action: string, answer: Answer, redact: (text: string) => string): Fault {
  if (answer.kind === 'silent') {
    return {
      kind: 'unclear',
      status: null,
      message: redact(`Fly did not answer "${action}": ${answer.reason}`),
      retryAfterMs: null,
      holder: null,
    };
  }
  const body = bodySchema.safeParse(answer.body).data ?? {};
  const said = body.error ?? body.message ?? answer.text;
  const id = answer.requestId === null ? '' : ` (fly-request-id ${answer.requestId})`;
  return {
    kind: kindOf(answer.status, body.status, said),
    status: answer.status,
    // Redacted before it is clipped, so that no half of a secret is left at the end.
    message: `Fly answered ${answer.status} to "${action}": ${clipEnd(redact(said), MAX_MESSAGE_LENGTH)}${redact(id)}`,
    retryAfterMs: retryAfterOf(answer.retryAfter),
    holder: HOLDER.exec(said)?.[1] ?? null,
  };
}

function kindOf(http: number, status: string | undefined, said: string): FaultKind {
  // A known code takes precedence over the text.
  if (status !== undefined && CAPACITY_STATUSES.includes(status)) return 'capacity';
  if (status === 'name_taken') return 'taken';
  if (CAPACITY_CODES.includes(http) && CAPACITY_TEXT.test(said)) return 'capacity';
  if (http === 401) return 'auth';
  if (http === 403) return QUOTA_TEXT.test(said) ? 'quota' : 'auth';
  if (http === 404) return 'missing';
  if (http === 429) return 'throttled';
  if (http === 409 || http === 412) return BUSY_TEXT.test(said) ? 'busy' : 'taken';
  // A redirect does not come from the API, and a success gets here only if it cannot be read.
  if (http === 408 || http >= 500 || http < 400) return 'unclear';
  return 'invalid';
}

/** Reads seconds only: a date would need this clock and Fly's to agree. */
function retryAfterOf(header: string | null): number | null {
  return header !== null && /^\d{1,9}$/.test(header.trim())
    ? Math.min(Number(header) * 1_000, MAX_RETRY_AFTER_MS)
    : null;
}

const MEANINGS: Readonly<Record<FaultKind, readonly [errorClass: JobErrorClass, transient: boolean]>> = {
  unsent: ['substrate_error', true],
  unclear: ['substrate_error', true],
  throttled: ['substrate_error', true],
  busy: ['substrate_error', true],
  capacity: ['capacity', true],
  quota: ['quota_exceeded', true],
  // No job is at fault: they wait until an operator fixes the credentials.
  auth: ['auth', true],
  missing: ['config_invalid', false],
  taken: ['substrate_error', true],
  invalid: ['config_invalid', false],
};

/** Returns the error that a call fails with. `more` overrides what the fault implies. */
export function errorOf(fault: Fault, more: Partial<SubstrateFailure> = {}): SubstrateError {
  const [errorClass, transient] = MEANINGS[fault.kind];
  const { message, retryAfterMs } = fault;
  return new SubstrateError({ errorClass, transient, message, retryAfterMs, ...more });
}
