import { z } from 'zod';
import { clipEnd } from '../../../lib/clip.ts';
import type { JobErrorClass } from '../../errors.ts';
import { SubstrateError, type SubstrateFailure } from '../../errors.ts';
import type { Answer } from './http.ts';

/** What a request that was not answered with a yes means to whoever sent it. */
export type FaultKind =
  /** Nothing was sent: too much waits to be sent, or the call ran out of time before. */
  | 'unsent'
  /** It may have been done or not: no answer, a fault of Fly's own, a yes that cannot be read. */
  | 'unclear'
  /** Too many requests. */
  | 'throttled'
  /** Somebody else is changing the same thing. */
  | 'busy'
  /** No room there. */
  | 'capacity'
  /** A limit of the organization. */
  | 'quota'
  | 'auth'
  | 'missing'
  /** The name is held by something. */
  | 'taken'
  | 'invalid';

/** See {@link FaultKind}. */
export interface Fault {
  readonly kind: FaultKind;
  /** Null without an answer. */
  readonly status: number | null;
  /** For people, without secrets. */
  readonly message: string;
  readonly retryAfterMs: number | null;
  /** Of the machine that holds the name, where it is told. */
  readonly holder: string | null;
}

const MAX_MESSAGE_LENGTH = 500;
/** Longer than this Fly is not left alone, whatever it asks for. */
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

/** What this answer to `action` means; a yes that could not be read comes here, too. */
export function faultOf(action: string, answer: Answer, redact: (text: string) => string): Fault {
  if (answer.kind === 'silent') {
    return {
      kind: 'unclear',
      status: null,
      message: redact(`Fly gave no answer to "${action}": ${answer.reason}`),
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
    // Redacted before it is cut, so that no half of a secret is left at the end.
    message: `Fly answered ${answer.status} to "${action}": ${clipEnd(redact(said), MAX_MESSAGE_LENGTH)}${redact(id)}`,
    retryAfterMs: retryAfterOf(answer.retryAfter),
    holder: HOLDER.exec(said)?.[1] ?? null,
  };
}

function kindOf(http: number, status: string | undefined, said: string): FaultKind {
  // A code that is known outranks the text.
  if (status !== undefined && CAPACITY_STATUSES.includes(status)) return 'capacity';
  if (status === 'name_taken') return 'taken';
  if (CAPACITY_CODES.includes(http) && CAPACITY_TEXT.test(said)) return 'capacity';
  if (http === 401) return 'auth';
  if (http === 403) return QUOTA_TEXT.test(said) ? 'quota' : 'auth';
  if (http === 404) return 'missing';
  if (http === 429) return 'throttled';
  if (http === 409 || http === 412) return BUSY_TEXT.test(said) ? 'busy' : 'taken';
  // What answers with a redirect is not the API, and a yes comes here only when it cannot be read.
  if (http === 408 || http >= 500 || http < 400) return 'unclear';
  return 'invalid';
}

/** Seconds; a date would need our clock and Fly's to agree. */
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
  // No job is at fault: they wait until somebody mends the credentials.
  auth: ['auth', true],
  missing: ['config_invalid', false],
  taken: ['substrate_error', true],
  invalid: ['config_invalid', false],
};

/** The error that a call fails with. */
export function errorOf(fault: Fault, more: Partial<SubstrateFailure> = {}): SubstrateError {
  const [errorClass, transient] = MEANINGS[fault.kind];
  const { message, retryAfterMs } = fault;
  return new SubstrateError({ errorClass, transient, message, retryAfterMs, ...more });
}
