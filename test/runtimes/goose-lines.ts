import type { RunnerEvent } from '../../src/contract/events.ts';
import type { RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Returns a `message` line. `more` overrides fields of the message. */
export function message(role: string, content: readonly unknown[], more: Fields = {}): Fields {
  const metadata = { userVisible: true, agentVisible: true };
  return { type: 'message', message: { id: 'm1', role, created: 1, content, metadata, ...more } };
}

/** Returns a piece of assistant text. */
export function says(text: string, id: string | null = 'm1'): Fields {
  return message('assistant', [{ type: 'text', text }], { id });
}

/** Returns a tool request. */
export function asks(id: string, name: string, input: unknown = {}, more: Fields = {}): Fields {
  const toolCall = { status: 'success', value: { name, arguments: input } };
  return message('assistant', [{ type: 'toolRequest', id, toolCall, ...more }]);
}

/** Returns a tool's result with one text. */
export function returns(id: string, text: string, isError = false): Fields {
  const value = { content: [{ type: 'text', text }], isError };
  return message('user', [{ type: 'toolResponse', id, toolResult: { status: 'success', value } }]);
}

export const COMPLETE: Fields = { type: 'complete', total_tokens: 12 };

/** Returns the bytes of lines; strings stay unchanged. */
export function wireOf(lines: readonly (Fields | string)[]): Uint8Array {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  return new TextEncoder().encode(text);
}

/** Returns all events of a run that prints these lines, with the clock fixed at 1,000. */
export function runOf(
  lines: readonly (Fields | string)[],
  exit?: RuntimeExit,
  options: RuntimeAdapterOptions = {},
): RunnerEvent[] {
  const adapter = createGooseAdapter({ now: () => 1000, ...options });
  return [...adapter.push(wireOf(lines)), ...adapter.end(exit)];
}

/** Returns the events between the start and the terminal, as `[kind, data]`. */
export function middleOf(lines: readonly (Fields | string)[]): unknown[] {
  return runOf(lines)
    .slice(1, -1)
    .map(({ kind, data }) => [kind, data]);
}

/** Returns the data of the terminal. */
export function terminalOf(lines: readonly (Fields | string)[], exit?: RuntimeExit) {
  return runOf(lines, exit).at(-1)?.data;
}

export const SAMPLES: readonly Fields[] = [
  says('hi'),
  asks('a', 'shell', {}, { _meta: { goose_extension: 'developer' } }),
  asks('b', 'load_skill', { name: 'x' }),
  returns('a', 'ok'),
  returns('b', '# Loaded Skill: x (skill)'),
  message('assistant', [{ type: 'thinking', thinking: 'hm', signature: '' }], {
    metadata: { userVisible: false, inference: { provider: 'p', requestedModel: 'm' } },
  }),
  message('assistant', [{ type: 'text', text: 'aside', annotations: { audience: ['assistant'] } }]),
  message('assistant', [{ type: 'systemNotification', notificationType: 'creditsExhausted', msg: 'no' }]),
  message('assistant', [{ type: 'image', data: 'x', mimeType: 'image/png' }]),
  message('assistant', [{ type: 'error', kind: 'other', message: 'no' }]),
  { type: 'notification', extension_id: 'a', log: { message: 'm' } },
  { type: 'notification', extension_id: 'a', progress: { progress: 1, total: null, message: null } },
  { type: 'error', error: 'no' },
  { type: 'model_change', model: 'm', mode: 'lead' },
  COMPLETE,
];
