import type { RunnerEvent } from '../../src/contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions, RuntimeExit } from '../../src/runtimes/adapter.ts';
import { createAnthropicMessagesAdapter } from '../../src/runtimes/anthropic/messages.ts';
import { createAnthropicSessionsAdapter } from '../../src/runtimes/anthropic/sessions.ts';
import { createClaudeCodeAdapter } from '../../src/runtimes/claude-code/claude-code.ts';
import { createCodexAdapter } from '../../src/runtimes/codex/codex.ts';
import { createGeminiAdapter } from '../../src/runtimes/gemini.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';
import { createGoosedAdapter } from '../../src/runtimes/goose/goosed.ts';
import * as claude from './claude-lines.ts';
import * as codex from './codex-lines.ts';
import * as gemini from './gemini-lines.ts';
import * as goose from './goose-lines.ts';
import * as goosed from './goosed-frames.ts';
import * as messages from './messages-frames.ts';
import * as sessions from './sessions-frames.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** One runtime, as the suite of common rules needs to know it. */
export interface AdapterCase {
  /** The name in `runtime_started`. */
  readonly name: string;
  create(options?: RuntimeAdapterOptions): RuntimeAdapter;
  /** Returns the bytes that carry these texts, one JSON object each; other texts are noise. */
  wireOf(texts: readonly string[]): Uint8Array;
  /** Returns a line that becomes one `assistant_text`. */
  says(text: string): Fields;
  /** Returns lines that become one `tool_request`, and otherwise only notifications. */
  asks(id: string, input?: unknown): readonly Fields[];
  /** Returns a line that becomes one `stream_error` and fails the run. */
  fails(message: string): Fields;
  /** Lines with which a run ends successfully. */
  readonly ends: readonly Fields[];
  /** Lines of as many types as possible: the properties put other values into them. */
  readonly samples: readonly Fields[];
}

export const ADAPTERS: readonly AdapterCase[] = [
  {
    name: 'goose',
    create: createGooseAdapter,
    wireOf: goose.wireOf,
    says: goose.says,
    asks: (id, input) => [goose.asks(id, 'shell', input)],
    fails: (error) => ({ type: 'error', error }),
    ends: [goose.COMPLETE],
    samples: goose.SAMPLES,
  },
  {
    name: 'goosed',
    create: createGoosedAdapter,
    wireOf: framesOf,
    says: goosed.says,
    asks: (id, input) => [goosed.asks(id, 'shell', input)],
    fails: goosed.fails,
    ends: [goosed.FINISH],
    samples: goosed.SAMPLES,
  },
  {
    name: 'anthropic-messages',
    create: createAnthropicMessagesAdapter,
    wireOf: framesOf,
    says: messages.says,
    asks: (id, input) => messages.asks(id, 'shell', input),
    fails: messages.fails,
    ends: messages.stops('end_turn'),
    samples: messages.SAMPLES,
  },
  {
    name: 'anthropic-sessions',
    create: createAnthropicSessionsAdapter,
    wireOf: framesOf,
    says: sessions.says,
    asks: (id, input) => [sessions.asks(id, 'shell', input)],
    fails: sessions.fails,
    ends: [sessions.idle('end_turn')],
    samples: sessions.SAMPLES,
  },
  {
    name: 'claude-code',
    create: createClaudeCodeAdapter,
    wireOf: goose.wireOf,
    says: (text) => claude.said([claude.text(text)]),
    asks: (id, input) => [claude.said([claude.toolUse(id, 'shell', input)])],
    fails: (error) => ({ type: 'auth_status', error }),
    ends: [claude.result()],
    samples: claude.SAMPLES,
  },
  {
    name: 'codex',
    create: createCodexAdapter,
    wireOf: goose.wireOf,
    says: codex.says,
    asks: (id, input) => [codex.started(id, 'command_execution', { command: input })],
    fails: (message) => ({ type: 'error', message }),
    ends: [codex.DONE],
    samples: codex.SAMPLES,
  },
  {
    name: 'gemini',
    create: createGeminiAdapter,
    wireOf: goose.wireOf,
    says: gemini.says,
    asks: (id, input) => [gemini.uses(id, 'shell', input)],
    fails: (message) => gemini.warns(message),
    ends: [gemini.result()],
    samples: gemini.SAMPLES,
  },
];

/** Returns server-sent events with these data. */
export function framesOf(texts: readonly string[]): Uint8Array {
  return new TextEncoder().encode(texts.map((text) => `data: ${text}\n\n`).join(''));
}

/** Returns a line as text; strings stay unchanged. */
export function textOf(line: Fields | string): string {
  return typeof line === 'string' ? line : JSON.stringify(line);
}

/** Returns all events of a run of these lines, with the clock fixed at 1,000. */
export function play(
  adapter: AdapterCase,
  lines: readonly (Fields | string)[],
  exit?: RuntimeExit,
  options: RuntimeAdapterOptions = {},
): RunnerEvent[] {
  return playBytes(adapter.create({ now: () => 1000, ...options }), adapter.wireOf(lines.map(textOf)), exit);
}

/** Returns all events of a run of these bytes, in chunks of one size. */
export function playBytes(
  adapter: RuntimeAdapter,
  bytes: Uint8Array,
  exit?: RuntimeExit,
  chunkSize = bytes.length,
): RunnerEvent[] {
  const events: RunnerEvent[] = [];
  for (let from = 0; from < bytes.length; from += chunkSize) {
    events.push(...adapter.push(bytes.subarray(from, from + chunkSize)));
  }
  return [...events, ...adapter.end(exit)];
}

/** Returns the events between the start and the terminal, as `[kind, data]`. */
export function middleOf(events: readonly RunnerEvent[]): unknown[] {
  return events.slice(1, -1).map(({ kind, data }) => [kind, data]);
}
