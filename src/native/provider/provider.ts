import type { NativeConfig } from '../../config/env.ts';
import { fetchFailure } from '../../lib/fetch-failure.ts';
import { type ByteStream, streamOf } from './byte-stream.ts';
import { createFaults, type ProviderFault } from './fault.ts';
import type { NativeLimits } from './limits.ts';

/** The result of a request. */
export type Answer<Body> =
  | { readonly kind: 'answered'; readonly body: Body }
  /** The same request would be refused again. */
  | { readonly kind: 'refused'; readonly fault: ProviderFault }
  /** A retry may succeed. `retryAfterMs` is 0 unless the provider requests a pause. */
  | { readonly kind: 'unavailable'; readonly fault: ProviderFault; readonly retryAfterMs: number };

/** A request to the provider. */
export interface ProviderRequest {
  /** The path without a leading slash. */
  readonly path: string;
  /** The JSON body. If present, the request is a POST. */
  readonly body?: unknown;
  readonly betas?: readonly string[];
}

/** A client of the provider. Nothing rejects, and every wait ends when the signal aborts. */
export interface Provider {
  /** Requests server-sent events. The caller must close the stream. */
  open(request: ProviderRequest, signal: AbortSignal): Promise<Answer<ByteStream>>;
  /** Converts an error that the provider sent within a stream. */
  fault(errorType: string | undefined, message: string | undefined): ProviderFault;
  /** Requests one JSON value. */
  ask(request: ProviderRequest, signal: AbortSignal): Promise<Answer<unknown>>;
}

const API_VERSION = '2023-06-01';
const MAX_FAULT_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 300_000;

/** Creates the client of the provider in the configuration. */
export function createProvider(config: NativeConfig, limits: NativeLimits): Provider {
  const faults = createFaults(config.apiKey);

  const fetchOnce = (request: ProviderRequest, accept: string, signal: AbortSignal): Promise<Response> => {
    const betas = [...new Set([...config.betas, ...(request.betas ?? [])])];
    return fetch(new URL(request.path, config.baseUrl), {
      method: request.body === undefined ? 'GET' : 'POST',
      headers: {
        'x-api-key': config.apiKey,
        'anthropic-version': API_VERSION,
        'user-agent': 'runfeed',
        accept,
        ...(betas.length > 0 && { 'anthropic-beta': betas.join(',') }),
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      // Following a redirect would send the API key along.
      redirect: 'manual',
      signal,
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
    });
  };

  const unreachable = (error: unknown): Answer<never> => {
    const fault = faults.told('provider_unreachable', fetchFailure(error));
    return { kind: 'unavailable', fault, retryAfterMs: 0 };
  };

  const failed = (fault: ProviderFault): Answer<never> => ({ kind: 'refused', fault });

  async function notAnswered(response: Response, stream: ByteStream): Promise<Answer<never>> {
    const text = await stream.readAll(MAX_FAULT_BYTES);
    const fault = faults.of(response, text ?? '');
    if (response.status !== 429 && response.status < 500) return failed(fault);
    return { kind: 'unavailable', fault, retryAfterMs: retryAfterOf(response.headers) };
  }

  async function send(
    request: ProviderRequest,
    accept: string,
    signal: AbortSignal,
  ): Promise<Answer<{ readonly response: Response; readonly stream: ByteStream }>> {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const release = (): void => {
      signal.removeEventListener('abort', abort);
      controller.abort();
    };
    const timer = setTimeout(abort, config.idleMs);
    try {
      const response = await fetchOnce(request, accept, controller.signal);
      const stream = streamOf(response, { idleMs: config.idleMs, abort, release });
      if (response.ok) return { kind: 'answered', body: { response, stream } };
      try {
        return await notAnswered(response, stream);
      } finally {
        stream.close();
      }
    } catch (error) {
      release();
      return unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    fault: faults.told,
    open: async (request, signal) => {
      const sent = await send(request, 'text/event-stream', signal);
      if (sent.kind !== 'answered') return sent;
      const { response, stream } = sent.body;
      if (/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
        return { kind: 'answered', body: stream };
      }
      stream.close();
      return failed({
        errorType: 'not_a_stream',
        message: 'the provider did not answer with an event stream',
      });
    },
    ask: async (request, signal) => {
      const sent = await send(request, 'application/json', signal);
      if (sent.kind !== 'answered') return sent;
      const { stream } = sent.body;
      const text = await stream.readAll(limits.maxAnswerBytes);
      stream.close();
      if (text === null) return unreachable(new Error('the response was cut off or too large'));
      try {
        const body: unknown = JSON.parse(text);
        return { kind: 'answered', body };
      } catch {
        return failed({
          errorType: 'not_json',
          message: 'the provider did not answer with JSON',
        });
      }
    },
  };
}

/** Converts `retry-after` (seconds or a date) to milliseconds, at most 5 minutes. 0 if absent or invalid. */
function retryAfterOf(headers: Headers): number {
  const text = headers.get('retry-after') ?? '';
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : 0;
}
