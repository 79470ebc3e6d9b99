import { openFileSpool, SpoolDamaged } from '../../client/file-spool.ts';
import type { Spool } from '../../client/report/spool.ts';

/** The options of {@link openSpool}. */
export interface SpoolOptions {
  readonly folder: string;
  readonly spoolMib: number;
  /** The number of the next event in the server's log. Null: unknown. */
  readonly nextSeq: number | null;
  /** Reports a message to the user. */
  readonly tell: (text: string) => void;
}

const MAX_TAKEN = 1_000;

/**
 * Opens a run's spool. A damaged file is set aside and reported in one line. The events before the damage are
 * dropped if the server's log already continues after them. Throws if that is unknown: the numbers of the lost events
 * would be given to new ones, although the server may have the lost ones.
 */
export async function openSpool({ folder, spoolMib, nextSeq, tell }: SpoolOptions): Promise<Spool> {
  const maxCharacters = spoolMib * 1024 * 1024;
  if (nextSeq === null) return openFileSpool(folder, { maxCharacters }).catch(refuseDamage);
  let isDamaged = false;
  const open = () =>
    openFileSpool(folder, {
      maxCharacters,
      onDamaged: ({ file, place, setAside }) => {
        isDamaged = true;
        tell(
          `${file} is damaged at ${place} and set aside as ${setAside}; the events before the damage are kept`,
        );
      },
    });
  const spool = await open();
  const { range } = spool.held();
  if (!isDamaged || range === null || range.toSeq + 1 >= nextSeq) return spool;
  while (spool.waiting() > 0) await spool.release(await spool.take(MAX_TAKEN, Number.MAX_SAFE_INTEGER));
  await spool.close();
  return open();
}

function refuseDamage(error: unknown): never {
  if (!(error instanceof SpoolDamaged)) throw error;
  throw new Error(
    'undelivered events on disk are damaged, and the server must be reached to see which it has: nothing was started, try again later',
    { cause: error },
  );
}
