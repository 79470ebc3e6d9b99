import { clipEnd } from '../lib/clip.ts';
import { createRedactor } from '../lib/redact.ts';

/** What a provider said instead of what it was asked for, without secrets. */
export interface ProviderFault {
  /** The provider's own word (`overloaded_error`), or ours where it said none. */
  readonly errorType: string;
  readonly message: string;
  readonly status?: number;
  readonly requestId?: string;
}

const MAX_MESSAGE_LENGTH = 1_000;
const MAX_ID_LENGTH = 200;

/** Makes faults of what a provider says, which may repeat the key that it was given. */
export interface Faults {
  /** Of an answer that is not what was asked for. */
  of(response: Response, text: string): ProviderFault;
  /** Of a type and a message, in the provider's words or ours. */
  told(errorType: string | undefined, message: string | undefined): ProviderFault;
}

/** Faults in which this key is redacted. */
export function createFaults(apiKey: string): Faults {
  const redact = createRedactor([apiKey]);
  // Redacted first: a cut could leave half of a secret, which nothing finds.
  const shown = (text: string, length: number) => clipEnd(redact(text), length);

  const told = (errorType: string | undefined, message: string | undefined): ProviderFault => ({
    errorType:
      errorType !== undefined && /^\w{1,100}$/.test(errorType) ? shown(errorType, 100) : 'unknown_error',
    message: shown(message ?? 'the provider did not say why', MAX_MESSAGE_LENGTH),
  });

  return {
    told,
    of: ({ status, headers }, text) => {
      const body = parsed(text);
      const error = field(body, 'error');
      const requestId = textField(body, 'request_id') ?? headers.get('request-id');
      return {
        ...told(
          textField(error, 'type') ?? `http_${status}`,
          textField(error, 'message') ?? `the provider answered ${status}`,
        ),
        status,
        ...(requestId !== null && { requestId: shown(requestId, MAX_ID_LENGTH) }),
      };
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function textField(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}
