import { type ExecutionResult, parse } from 'graphql';
import { expect, test } from 'vitest';
import { overloaded } from '../../src/graphql/errors/faults.ts';
import type { OperationRequest } from '../../src/graphql/operations/request.ts';
import type { UpdatedRun } from '../../src/graphql/runs/row.ts';
import { openSharedUpdates } from '../../src/graphql/runs/shared-updates.ts';

/** Follows one changed run on each connection; `answer` is called once per execution. */
function followers(answer: (owner: object) => ExecutionResult) {
  const document = parse('subscription { runUpdated { id } }');
  const row = { key: 1 } as UpdatedRun;
  const owners: object[] = [];
  const execute = async ({ owner }: OperationRequest) => {
    owners.push(owner!);
    await new Promise(setImmediate);
    return answer(owner!);
  };
  const runUpdates = {
    open: async () => {
      let rows: readonly UpdatedRun[] | null = [row];
      return {
        take: () => {
          const taken = rows;
          rows = null;
          return taken;
        },
        ended: () => false,
        ready: async () => {},
        close: () => {},
      };
    },
  };
  const follow = async (connection: object): Promise<string> => {
    const principal = { kind: 'operator', workspace: 'default' };
    const contextValue = { runUpdates, connection, principal };
    const request = { document, contextValue } as unknown as OperationRequest;
    const feed = openSharedUpdates(request, execute);
    const reader = await feed!.open(new AbortController().signal);
    await reader!.ready();
    return String(reader!.take()?.[0]);
  };
  return { follow, owners };
}

test.each([
  [
    'is refused',
    (): never => {
      throw new Error('its owner is gone');
    },
  ],
  ['is OVERLOADED', () => ({ errors: [overloaded('too many operations are waiting')] })],
])('a payload that %s for its first subscriber is created once more for the others', async (_what, fail) => {
  const first = {};
  const { follow, owners } = followers((owner) =>
    owner === first ? fail() : { data: { runUpdated: { id: 'r' } } },
  );
  const others = Array.from({ length: 20 }, () => ({}));
  const [own, ...told] = await Promise.allSettled([first, ...others].map(follow));
  if (own?.status === 'fulfilled') expect(own.value).toContain('OVERLOADED');
  for (const one of told)
    expect(one).toEqual({ status: 'fulfilled', value: '{"data":{"runUpdated":{"id":"r"}}}' });
  expect(owners).toEqual([first, others[0]]);
  expect(await follow({})).toContain('"r"');
  expect(owners).toHaveLength(2);
});
