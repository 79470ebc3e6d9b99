import { z } from 'zod';
import type { ListPage } from '../store/lists.ts';
import { MAX_RUNS_A_PAGE } from './builder.ts';

/** A cursor as the connections write it: a run's key, which is a 32-bit number. */
const runCursor = z
  .string()
  .refine((cursor) => {
    const key = /^GPC:N:(\d{1,10})$/.exec(Buffer.from(cursor, 'base64').toString())?.[1];
    return key !== undefined && Number(key) < 2 ** 31;
  }, 'must be a cursor that this list answered')
  .nullish();
const count = z.int().min(0).max(MAX_RUNS_A_PAGE).nullish();

/** Which page of a list. The plugin would cap the counts in silence and pass a made-up cursor to the database. */
export const pageSchema = z
  .looseObject({ after: runCursor, before: runCursor, first: count, last: count })
  .refine(({ first, last }) => first == null || last == null, 'first and last exclude each other');

/** What the connections' own terms ask of a list: `take` rows after a cursor, or before it where that is negative. */
export function listPage(cursor: number | undefined, take: number): ListPage {
  const direction = take < 0 ? 'newer' : 'older';
  return { cursor: cursor ?? null, direction, limit: Math.abs(take) };
}
