import { basename } from 'node:path';
import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeName } from '../../runtimes/registry.ts';

type Command = readonly [string, ...string[]];

/** Runtimes by the names of their programs and npm packages. */
const PROGRAMS = new Map<string, RuntimeName>([
  ['goose', 'goose'],
  ['codex', 'codex'],
  ['gemini', 'gemini'],
  ['gemini-cli', 'gemini'],
  ['claude', 'claude-code'],
  ['claude-code', 'claude-code'],
]);

/** Programs that download and run a package: the first argument that is not an option. */
const LAUNCHERS = ['npx', 'bunx', 'pnpx'];

/** The runtime that the command's name identifies. Null if the name is unknown. */
export function runtimeOf([program, ...args]: Command): RuntimeName | null {
  const launched =
    LAUNCHERS.includes(basename(program)) && args.find((argument) => !argument.startsWith('-'));
  // The package may have a version: @openai/codex@latest.
  const name = basename(launched || program).replace(/(?<=.)@.*$/, '');
  return PROGRAMS.get(name) ?? null;
}

const PROMPT = '{prompt}';

/**
 * Replaces `{prompt}` in the command with the payload's `prompt`. Throws if the payload has no prompt, and if
 * the agent would read the prompt as an option: the author of a prompt must not control how the agent runs.
 */
export function withPrompt(command: Command, payload: JsonObject | null): Command {
  if (!command.some((argument) => argument.includes(PROMPT))) return command;
  const prompt = payload?.prompt;
  if (typeof prompt !== 'string') {
    throw new Error(`the command contains ${PROMPT}, but the job's payload has no string field prompt`);
  }
  const bare = command.indexOf(PROMPT);
  if (prompt.startsWith('-') && bare >= 0 && !command.slice(0, bare).includes('--')) {
    throw new Error(
      `the prompt begins with - and would be read as an option: use -- ${PROMPT} or --option=${PROMPT} in the runner's command`,
    );
  }
  const [program, ...args] = command;
  return [program, ...args.map((argument) => argument.replaceAll(PROMPT, () => prompt))];
}
