import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { releaseAfterwards } from '../../support/releases.ts';
import { freshFolder } from '../../support/scripts.ts';

/** A program that leaves a chain of processes, each of which forks and exits, until it is killed. */
export interface Chain {
  /** The command line. Its own process stays, and ignores SIGTERM. */
  readonly command: readonly string[];
  /** Resolves once the chain runs. */
  readonly begun: Promise<void>;
  /** Resolves once no process of it is left: the kernel then closes the pipe that all of them hold. */
  readonly ended: Promise<void>;
}

/** In each generation, PER_LINK is run. The chain also ends by itself: with the file that ends it, or after a minute. */
const script = (perLink: string) => `
use POSIX ();
my ($pipe, $end) = @ARGV;
$SIG{$_} = 'IGNORE' for 'TERM', 'HUP', 'CHLD';
if (fork == 0) {
  POSIX::setsid();
  close $_ for \\*STDIN, \\*STDOUT, \\*STDERR;
  open my $held, '>', $pipe or POSIX::_exit(1);
  syswrite $held, 'x';
  my $until = time + 60;
  while (time < $until && !-e $end) {
    my $pid = fork;
    POSIX::_exit(0) if $pid;
    ${perLink};
    select undef, undef, undef, 0.0001;
  }
  POSIX::_exit(0);
}
sleep 600;
`;

/** Chains need perl: shells and Node cannot fork fast enough. */
export const hasPerl = spawnSync('perl', ['-v']).status === 0;

/** Prepares a chain that any user can run. `perLink` is Perl code, for each of its processes. */
export async function createChain(perLink = ''): Promise<Chain> {
  const folder = await freshFolder();
  chmodSync(folder, 0o755);
  const [pipe, end] = [join(folder, 'pipe'), join(folder, 'end')];
  execFileSync('mkfifo', ['-m', '666', pipe]);
  const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'ignore'] });
  releaseAfterwards(() => {
    writeFileSync(end, '');
    reader.kill('SIGKILL');
  });
  return {
    command: ['perl', '-e', script(perLink), pipe, end],
    begun: new Promise((resolve) => reader.stdout.once('data', () => resolve())),
    ended: new Promise((resolve) => reader.once('exit', () => resolve())),
  };
}
