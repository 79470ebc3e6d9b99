import type { RunProvider } from '../../contract/jobs.ts';

/** The environment variables in which runners look for a provider's URL and key. */
export const PROVIDER_VARIABLES: Readonly<
  Record<RunProvider, { readonly baseUrl: string; readonly key: string }>
> = {
  anthropic: { baseUrl: 'ANTHROPIC_BASE_URL', key: 'ANTHROPIC_AUTH_TOKEN' },
  deepseek: { baseUrl: 'DEEPSEEK_BASE_URL', key: 'DEEPSEEK_API_KEY' },
  openai: { baseUrl: 'OPENAI_BASE_URL', key: 'OPENAI_API_KEY' },
  gemini: { baseUrl: 'GOOGLE_GEMINI_BASE_URL', key: 'GEMINI_API_KEY' },
  mistral: { baseUrl: 'MISTRAL_BASE_URL', key: 'MISTRAL_API_KEY' },
};
