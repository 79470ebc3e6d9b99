import { z } from 'zod';
import type { ListPage } from '../store/lists.ts';
import { MAX_RUNS_A_PAGE } from './price/limits.ts';

/** A cursor as the connections write it: the key of a run, which is a 32-bit number. */
const runCursor = z
  .string()
  .refine((cursor) => {
    const key = /^GPC:N:(\d{1,10})$/.exec(Buffer.from(cursor, 'base64').toString())?.[1];
    return key !== undefined && Number(key) < 2 ** 31;
  }, 'must be a cursor returned by this list')
  .nullish();
const count = z.int().min(0).max(MAX_RUNS_A_PAGE).nullish();

/** The arguments of a page. The plugin would silently cap counts and pass an invented cursor on. */
export const pageSchema = z
  .looseObject({ after: runCursor, before: runCursor, first: count, last: count })
  .refine(({ first, last }) => first == null || last == null, 'first and last cannot be used together');

/** Converts a connection's `cursor` and `take`: older rows for a positive `take`, newer for a negative. */
export function listPage(cursor: number | undefined, take: number): ListPage {
  const direction = take < 0 ? 'newer' : 'older';
  return { cursor: cursor ?? null, direction, limit: Math.abs(take) };
}
