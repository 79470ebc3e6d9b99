import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { describePostgres } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Copies the `prisma` folder so that a script can write to the copy. */
async function copyPrisma(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-prisma-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  await cp(join(ROOT, 'prisma'), join(folder, 'prisma'), { recursive: true });
  // The schema engine imports the server's adapter from the build.
  for (const beside of ['node_modules', 'dist', 'package.json'])
    await symlink(join(ROOT, beside), join(folder, beside));
  return join(folder, 'prisma');
}

async function addNote(prisma: string): Promise<void> {
  const file = join(prisma, 'schema.prisma');
  const schema = await readFile(file, 'utf8');
  await writeFile(file, schema.replace(/^(\s+title .*)$/m, '$1\n  note String?'));
}

test('the SQLite schema is what the script derives, and `--check` fails if it is not', async () => {
  await run(process.execPath, ['prisma/derive-sqlite.mjs', '--check'], { cwd: ROOT });
  const prisma = await copyPrisma();
  await addNote(prisma);
  const check = run(process.execPath, [join(prisma, 'derive-sqlite.mjs'), '--check']);
  await expect(check).rejects.toThrow('prisma/sqlite/schema.prisma is out of date');
  await run(process.execPath, [join(prisma, 'derive-sqlite.mjs')]);
  await run(process.execPath, [join(prisma, 'derive-sqlite.mjs'), '--check']);
  expect(await readFile(join(prisma, 'sqlite/schema.prisma'), 'utf8')).toContain('note String?');
});

describePostgres('the script that writes migrations', () => {
  test('writes the next migration of both dialects, after which there is nothing to write', async () => {
    const prisma = await copyPrisma();
    await addNote(prisma);
    const script = join(prisma, 'new-migration.mjs');
    const { stdout } = await run(process.execPath, [script, 'add_note']);
    expect(stdout).toContain('CHECK constraints');
    for (const folder of ['migrations', 'sqlite/migrations']) {
      const steps = (await readdir(join(prisma, folder))).filter((step) => /^\d{14}_add_note$/.test(step));
      expect(steps).toHaveLength(1);
      const sql = await readFile(join(prisma, folder, steps[0]!, 'migration.sql'), 'utf8');
      expect(sql).toMatch(/ALTER TABLE "run" ADD COLUMN\s+"note" TEXT;/);
    }
    await expect(run(process.execPath, [script, 'again'])).rejects.toThrow('nothing to write');
  });

  test('refuses a name that is not a valid folder name', async () => {
    const script = join(await copyPrisma(), 'new-migration.mjs');
    await expect(run(process.execPath, [script, '../x'])).rejects.toThrow('give the migration a name');
  });
});
