import * as goose from './goose-lines.ts';

type Fields = Readonly<Record<string, unknown>>;

const TOKENS = { inputTokens: 1, outputTokens: 2, totalTokens: 3, accumulatedTotalTokens: 30 };

/** Returns Goose's `message` line as goosed sends it. */
export function framed(line: Fields, more: Fields = {}): Fields {
  return { ...line, type: 'Message', token_state: TOKENS, ...more };
}

export const says = (text: string, id: string | null = 'm1'): Fields => framed(goose.says(text, id));
export const asks = (id: string, name: string, input: unknown = {}): Fields =>
  framed(goose.asks(id, name, input));
export const returns = (id: string, text: string): Fields => framed(goose.returns(id, text));
export const fails = (error: string): Fields => ({ type: 'Error', error });
export const FINISH: Fields = { type: 'Finish', reason: 'stop', token_state: TOKENS };

/** Returns a notification of a tool's server. */
export function notifies(requestId: string, params: unknown): Fields {
  return {
    type: 'Notification',
    request_id: requestId,
    message: { method: 'notifications/message', params },
  };
}

export const SAMPLES: readonly Fields[] = [
  says('hi'),
  asks('a', 'shell'),
  returns('a', 'ok'),
  notifies('a', { level: 'info' }),
  fails('no'),
  FINISH,
  { type: 'Ping' },
  { type: 'ModelChange', model: 'm', mode: 'lead' },
  { type: 'UpdateConversation', conversation: [] },
  { type: 'ActiveRequests', request_ids: ['r1'] },
];
