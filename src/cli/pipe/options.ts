import { RUN_PROVIDERS, type RunProvider } from '../../contract/jobs.ts';
import { isRuntimeName, RUNTIME_NAMES, type RuntimeName } from '../../runtimes/registry.ts';
import { ENDPOINT_OPTIONS } from '../endpoint.ts';
import { readArguments, wholeNumber } from '../terminal/arguments.ts';
import { UsageError } from '../terminal/usage-error.ts';
import { runtimeOf } from './command.ts';

/** The parsed arguments of `runfeed pipe`. */
export interface PipeOptions {
  /** The command to run. Null: standard input is the output of a command. */
  readonly command: readonly [string, ...string[]] | null;
  readonly run: string | undefined;
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** Null: the runtime is detected from the first lines of the output. */
  readonly runtime: RuntimeName | null;
  readonly provider: RunProvider;
  readonly title: string | undefined;
  /** The parent of the runs' spool folders. Undefined: a folder in the temporary folder. */
  readonly spool: string | undefined;
  readonly spoolMib: number;
  readonly flushTimeoutMs: number;
}

const FLUSH_TIMEOUT_S = 60;
const SPOOL_MIB = 64;

/** Parses the arguments and applies defaults. Throws a {@link UsageError}. */
export function readPipeOptions(argv: readonly string[]): PipeOptions {
  const end = argv.indexOf('--');
  const { values } = readArguments(end < 0 ? argv : argv.slice(0, end), {
    ...ENDPOINT_OPTIONS,
    run: { type: 'string' },
    runtime: { type: 'string' },
    provider: { type: 'string' },
    title: { type: 'string' },
    spool: { type: 'string' },
    'spool-mib': { type: 'string' },
    'flush-timeout': { type: 'string' },
  });
  const command = end < 0 ? null : readCommand(argv.slice(end + 1));
  const runtime = readRuntime(values.runtime) ?? (command && runtimeOf(command));
  return {
    command,
    runtime,
    provider: readProvider(values.provider) ?? providerOf(runtime),
    run: values.run,
    url: values.url,
    token: values.token,
    title: values.title,
    spool: values.spool,
    spoolMib: wholeNumber('spool-mib', values['spool-mib'], 1, 65_536) ?? SPOOL_MIB,
    flushTimeoutMs:
      1_000 * (wholeNumber('flush-timeout', values['flush-timeout'], 0, 86_400) ?? FLUSH_TIMEOUT_S),
  };
}

function readCommand([program, ...args]: readonly string[]): readonly [string, ...string[]] {
  if (!program) throw new UsageError('-- must be followed by the command to run');
  return [program, ...args];
}

function readRuntime(name: string | undefined): RuntimeName | null {
  if (name === undefined) return null;
  if (isRuntimeName(name)) return name;
  throw new UsageError(`--runtime must be one of ${RUNTIME_NAMES.join(', ')}`);
}

function readProvider(name: string | undefined): RunProvider | null {
  if (name === undefined) return null;
  const provider = RUN_PROVIDERS.find((known) => known === name);
  if (provider) return provider;
  throw new UsageError(`--provider must be one of ${RUN_PROVIDERS.join(', ')}`);
}

function providerOf(runtime: RuntimeName | null): RunProvider {
  if (runtime === 'codex') return 'openai';
  return runtime === 'gemini' ? 'gemini' : 'anthropic';
}
