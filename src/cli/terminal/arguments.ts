import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** The result of parsing these options. */
type Parsed<Options extends OptionsConfig> = ReturnType<
  typeof parseArgs<{ args: string[]; options: Options; allowPositionals: boolean; strict: true }>
>;

/** Parses a command's arguments. Throws a {@link UsageError} for unknown or malformed ones. */
export function readArguments<const Options extends OptionsConfig>(
  argv: readonly string[],
  options: Options,
  allowPositionals = false,
): Parsed<Options> {
  try {
    return parseArgs({ args: withNegatives(argv), options, allowPositionals, strict: true });
  } catch (error) {
    // Node appends advice about arguments that begin with a dash. Keep the first sentence only.
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(message.split(/\.\s/, 1)[0] ?? message);
  }
}

/** Rewrites `--after -1` as `--after=-1`: Node takes an argument that begins with a dash for an option. */
function withNegatives(argv: readonly string[]): string[] {
  const args: string[] = [];
  for (const arg of argv) {
    const before = args.at(-1);
    if (/^-\d+$/.test(arg) && before?.startsWith('--') && before.length > 2 && !before.includes('=')) {
      args[args.length - 1] = `${before}=${arg}`;
    } else args.push(arg);
  }
  return args;
}

/** Returns the run id, a command's only argument. Throws a {@link UsageError} if there is none or more. */
export function onlyRun(command: string, positionals: readonly string[]): string {
  const [runId, ...more] = positionals;
  if (!runId || more.length > 0) throw new UsageError(`${command} takes one argument, the run's id`);
  return runId;
}

/** Reads an option that is a whole number within inclusive bounds. Undefined if the option is absent. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^-?\d{1,16}$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${name} takes a whole number from ${least} to ${most}`);
}
