import { openFileSpool } from '../../client/file-spool.ts';
import type { Spool } from '../../client/spool.ts';

/** Where a run's spool is, and what goes into it. */
export interface SpoolOptions {
  readonly folder: string;
  readonly spoolMib: number;
  /** The number that the server's log goes on with; null: it is not known. */
  readonly nextSeq: number | null;
  /** Hears of what the user should know. */
  readonly tell: (text: string) => void;
}

const MAX_TAKEN = 1_000;

/**
 * Opens a run's spool. A damaged file is set aside with one line that names it. What is left before the damage is
 * dropped if the server has more than that already.
 */
export async function openSpool({ folder, spoolMib, nextSeq, tell }: SpoolOptions): Promise<Spool> {
  let isDamaged = false;
  const open = () =>
    openFileSpool(folder, {
      maxCharacters: spoolMib * 1024 * 1024,
      onDamaged: ({ file, place, setAside }) => {
        isDamaged = true;
        tell(`${file} is damaged at ${place} and set aside as ${setAside}; events before that are kept`);
      },
    });
  const spool = await open();
  const { range } = spool.held();
  if (!isDamaged || nextSeq === null || range === null || range.toSeq + 1 >= nextSeq) return spool;
  while (spool.waiting() > 0) await spool.release(await spool.take(MAX_TAKEN, Number.MAX_SAFE_INTEGER));
  await spool.close();
  return open();
}
