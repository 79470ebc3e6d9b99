import type { RuntimeAdapter, RuntimeAdapterOptions } from './adapter.ts';
import { createAnthropicMessagesAdapter } from './anthropic/messages.ts';
import { createAnthropicSessionsAdapter } from './anthropic/sessions.ts';
import { createClaudeCodeAdapter } from './claude-code/claude-code.ts';
import { createCodexAdapter } from './codex/codex.ts';
import { createGeminiAdapter } from './gemini.ts';
import { createGooseAdapter } from './goose/goose.ts';
import { createGoosedAdapter } from './goose/goosed.ts';

/** The names of the runtimes whose output can be read, for `--runtime`. */
export const RUNTIME_NAMES = [
  'anthropic-messages',
  'anthropic-sessions',
  'goose',
  'goosed',
  'claude-code',
  'codex',
  'gemini',
] as const;

/** One of {@link RUNTIME_NAMES}. */
export type RuntimeName = (typeof RUNTIME_NAMES)[number];

type AdapterFactory = (options: RuntimeAdapterOptions) => RuntimeAdapter;

const ADAPTERS: { readonly [name in RuntimeName]: AdapterFactory } = {
  'anthropic-messages': createAnthropicMessagesAdapter,
  'anthropic-sessions': createAnthropicSessionsAdapter,
  goose: createGooseAdapter,
  goosed: createGoosedAdapter,
  'claude-code': createClaudeCodeAdapter,
  codex: createCodexAdapter,
  gemini: createGeminiAdapter,
};

/** Returns true if the text is the name of a runtime. */
export function isRuntimeName(text: string): text is RuntimeName {
  return RUNTIME_NAMES.some((name) => name === text);
}

/** Creates an adapter for one run of the named runtime. */
export function createAdapter(name: RuntimeName, options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return ADAPTERS[name](options);
}
