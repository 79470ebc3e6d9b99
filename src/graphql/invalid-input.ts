import { GraphQLError } from 'graphql';
import type { ZodError, ZodType } from 'zod';
import type { FaultCode } from '../contract/errors.ts';
import { clipEnd } from '../lib/clip.ts';

/** A label's name, which a client chooses, is shown up to here. */
const MAX_PART_LENGTH = 200;

/** Arguments that break a documented rule, as the fault that says where. */
export function invalidInput(error: Pick<ZodError, 'issues'>): GraphQLError {
  const issues = error.issues.map(({ path, message }) => ({
    path: path.map((part) => clipEnd(String(part), MAX_PART_LENGTH)),
    message,
  }));
  const summary = issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ');
  const code: FaultCode = 'BAD_USER_INPUT';
  return new GraphQLError(`Invalid input: ${summary}`, {
    extensions: { code, issues },
  });
}

/** Checks arguments by hand, where the plugin would check them again for every event of a subscription. */
export function checkArguments<Output>(schema: ZodType<Output>, args: unknown): Output {
  const parsed = schema.safeParse(args);
  if (!parsed.success) throw invalidInput(parsed.error);
  return parsed.data;
}
