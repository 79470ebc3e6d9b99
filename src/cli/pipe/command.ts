import { basename } from 'node:path';
import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeName } from '../../runtimes/registry.ts';

type Command = readonly [string, ...string[]];

/** What programs and their packages are called. */
const PROGRAMS = new Map<string, RuntimeName>([
  ['goose', 'goose'],
  ['codex', 'codex'],
  ['gemini', 'gemini'],
  ['gemini-cli', 'gemini'],
  ['claude', 'claude-code'],
  ['claude-code', 'claude-code'],
]);

/** What fetches a package and runs it: the package is its first argument that is no option. */
const LAUNCHERS = ['npx', 'bunx', 'pnpx'];

/** The runtime that a command's name tells; null: none that is known. */
export function runtimeOf([program, ...args]: Command): RuntimeName | null {
  const launched =
    LAUNCHERS.includes(basename(program)) && args.find((argument) => !argument.startsWith('-'));
  // A package may be named with its version: @openai/codex@latest.
  const name = basename(launched || program).replace(/(?<=.)@.*$/, '');
  return PROGRAMS.get(name) ?? null;
}

const PROMPT = '{prompt}';

/**
 * Puts the payload's `prompt` where the command says `{prompt}`. Throws when there is none to put in, and when it would
 * be read as an option: whoever gives a prompt is not to choose how the agent runs.
 */
export function withPrompt(command: Command, payload: JsonObject | null): Command {
  if (!command.some((argument) => argument.includes(PROMPT))) return command;
  const prompt = payload?.prompt;
  if (typeof prompt !== 'string') {
    throw new Error(`the command has ${PROMPT} in it, and the job's payload no text under prompt`);
  }
  const bare = command.indexOf(PROMPT);
  if (prompt.startsWith('-') && bare >= 0 && !command.slice(0, bare).includes('--')) {
    throw new Error(
      `the prompt begins with - and would be an option: have the runner's command say -- ${PROMPT} or --option=${PROMPT}`,
    );
  }
  const [program, ...args] = command;
  return [program, ...args.map((argument) => argument.replaceAll(PROMPT, () => prompt))];
}
