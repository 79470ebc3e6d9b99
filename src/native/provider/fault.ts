import { attempt } from '../../lib/attempt.ts';
import { createRedactor } from '../../lib/secrets/redact.ts';
import { clipEnd } from '../../lib/text/clip.ts';

/** Why a provider did not answer a request, without secrets. */
export interface ProviderFault {
  /** The provider's type (`overloaded_error`), or one of ours if it gave none. */
  readonly errorType: string;
  readonly message: string;
  readonly status?: number;
  readonly requestId?: string;
}

const MAX_MESSAGE_LENGTH = 1_000;
const MAX_ID_LENGTH = 200;

/** Converts what a provider says to faults. The provider may repeat the API key in it. */
export interface Faults {
  /** Converts a response without success. `text` is its body. */
  of(response: Response, text: string): ProviderFault;
  /** Converts a type and a message, from the provider or ours. */
  told(errorType: string | undefined, message: string | undefined): ProviderFault;
}

/** Creates a converter that redacts this API key. */
export function createFaults(apiKey: string): Faults {
  const redact = createRedactor([apiKey]);
  // Redacted before it is clipped: half a secret would not be recognized.
  const shown = (text: string, length: number) => clipEnd(redact(text), length);

  const told = (errorType: string | undefined, message: string | undefined): ProviderFault => ({
    errorType:
      errorType !== undefined && /^\w{1,100}$/.test(errorType) ? shown(errorType, 100) : 'unknown_error',
    message: shown(message ?? 'the provider gave no reason', MAX_MESSAGE_LENGTH),
  });

  return {
    told,
    of: ({ status, headers }, text) => {
      const body = attempt((): unknown => JSON.parse(text));
      const error = field(body, 'error');
      const requestId = textField(body, 'request_id') ?? headers.get('request-id');
      return {
        ...told(
          textField(error, 'type') ?? `http_${status}`,
          textField(error, 'message') ?? `the provider answered with status ${status}`,
        ),
        status,
        ...(requestId !== null && { requestId: shown(requestId, MAX_ID_LENGTH) }),
      };
    },
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function textField(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === 'string' ? found : undefined;
}
