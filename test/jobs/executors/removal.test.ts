import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { removeTree } from '../../../src/substrates/job-folders/remove-tree.ts';
import { freshFolder } from '../../support/scripts.ts';
import { hasPerl } from './chain.ts';
import { createMachine, ended, folderOf, type Machine, written } from './machine.ts';

const NOBODY = { kind: 'one', uid: 64_600, gid: 64_600, name: null, home: null } as const;
const FILES = Array.from({ length: 20 }, (_, index) => `file-${index}`);

/** Fills its folder, says so, and waits. */
const FILLER = [
  'perl',
  '-e',
  `
for my $dir (map { "a$_" } 0 .. 3) {
  mkdir $dir;
  for my $file (map { "fill-$_" } 0 .. 600) { open my $f, '>', "$dir/$file" }
  for my $file (map { "file-$_" } 0 .. 19) { open my $f, '>', "$dir/$file" }
}
open my $f, '>', 'ready'; print $f 'x'; close $f;
sleep 600;`,
];

/** As soon as a file is missing from a folder of another job, puts a link in the folder's place. */
const SWAPPER = [
  'perl',
  '-e',
  `
my ($place, $target) = @ARGV;
chdir $place or die;
my %left = map { $_ => 1 } map { "a$_" } 0 .. 3;
open my $f, '>', "ready-swapper"; print $f 'x'; close $f;
my $until = time + 60;
while (%left && time < $until) {
  for my $dir (sort keys %left) {
    next if -l $dir;
    next if -e "$dir/fill-0" && -e "$dir/fill-300" && -e "$dir/fill-600" && -e "$dir/fill-100";
    rename $dir, "b$dir"; symlink $target, $dir; delete $left{$dir};
  }
}`,
];

async function folderOfServer(): Promise<string> {
  const folder = join(await freshFolder(), 'only the server’s');
  mkdirSync(folder, { mode: 0o700 });
  for (const name of FILES) writeFileSync(join(folder, name), '', { mode: 0o600 });
  return folder;
}

/** Returns where a server moves a job's folder before it deletes it. */
function hiddenPath(machine: Machine, machineId: string): string {
  return join(machine.folder, `.unfinished-${machineId.split('-')[1]}`);
}

/** Returns a folder whose innermost path is longer than any that the system accepts. */
function deepFolder(root: string): string {
  let inner = join(root, 'inner-0');
  mkdirSync(inner);
  for (let depth = 1; depth <= 100; depth += 1) {
    const outer = join(root, `inner-${depth}`);
    mkdirSync(outer);
    renameSync(inner, join(outer, 'x'.repeat(200)));
    inner = outer;
  }
  return inner;
}

async function startAndEnd(machine: Machine) {
  const handle = await machine.start(['sh', '-c', 'mkdir -p a/b; echo x > a/b/c']);
  await ended(machine.substrate, handle);
  return handle;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('removing the folder of an ended job', () => {
  test.skipIf(process.getuid?.() !== 0 || !hasPerl)(
    'never deletes files elsewhere, though another job of the same user swaps folders for links (needs root and perl)',
    async () => {
      const machine = createMachine({}, { user: NOBODY });
      const victim = await folderOfServer();
      const handle = await machine.start(FILLER);
      await written(machine, handle, 'ready');
      const place = join(folderOf(machine, handle), 'work');
      const swapper = await machine.start([...SWAPPER, place, victim]);
      await written(machine, handle, 'ready-swapper');
      await machine.substrate.remove(handle);
      expect(readdirSync(victim).toSorted()).toEqual(FILES.toSorted());
      expect(readdirSync(machine.folder)).toEqual([basename(folderOf(machine, swapper))]);
    },
  );

  test('goes on at the next attempt if it failed halfway', async () => {
    const machine = createMachine();
    const handle = await startAndEnd(machine);
    renameSync(folderOf(machine, handle), hiddenPath(machine, handle.machineId));
    await machine.anotherServer().remove(handle);
    expect(readdirSync(machine.folder)).toEqual([]);
  });

  test('goes on at a later listing if no attempt follows', async () => {
    const machine = createMachine();
    const handle = await startAndEnd(machine);
    renameSync(folderOf(machine, handle), hiddenPath(machine, handle.machineId));
    expect(await machine.substrate.list()).toEqual([]);
    // Until then, another server may be removing it.
    expect(readdirSync(machine.folder)).toHaveLength(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 60_000 });
    expect(await machine.substrate.list()).toEqual([]);
    expect(readdirSync(machine.folder)).toEqual([]);
  });
});

describe('a tree of folders', () => {
  test('is removed whatever its depth, with links as such and names that are not text', async () => {
    const root = await freshFolder();
    const tree = join(root, 'tree');
    const victim = await folderOfServer();
    mkdirSync(tree);
    symlinkSync(victim, join(tree, 'link'));
    symlinkSync(tree, join(tree, 'itself'));
    mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]));
    writeFileSync(
      Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe]), Buffer.from('/\x80')]),
      '',
    );
    renameSync(deepFolder(root), join(tree, 'deep'));
    mkdirSync(join(tree, 'read-only', 'inner'), { recursive: true });
    chmodSync(join(tree, 'read-only'), 0o500);
    await removeTree(tree);
    expect(existsSync(tree)).toBe(false);
    expect(readdirSync(victim)).toHaveLength(FILES.length);
  });

  test('that has too many entries for one call is removed by several', async () => {
    const tree = join(await freshFolder(), 'tree');
    for (let index = 0; index < 20; index += 1) {
      mkdirSync(join(tree, `${index}`), { recursive: true });
      writeFileSync(join(tree, `${index}`, 'file'), '');
    }
    await expect(removeTree(tree, 30)).rejects.toThrow('still has entries');
    await removeTree(tree, 30);
    expect(existsSync(tree)).toBe(false);
    await removeTree(tree, 30);
  });

  test('that is a link is not removed', async () => {
    const folder = await folderOfServer();
    const link = join(dirname(folder), 'link');
    symlinkSync(folder, link);
    await expect(removeTree(link)).rejects.toThrow();
    expect(readdirSync(folder)).toHaveLength(FILES.length);
  });
});
