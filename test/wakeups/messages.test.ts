import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeMessage,
  encodeProbe,
  encodeWakes,
  foldWakes,
  type RemoteWake,
} from '../../src/wakeups/messages.ts';

const wake: fc.Arbitrary<RemoteWake> = fc.record({
  run: fc.nat(),
  workspace: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('default', 'a', '"\\', '\u0000\ud800', 'ünï') },
    { weight: 3, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.constant('é'.repeat(1_000)) },
  ),
  kind: fc.constantFrom('created', 'appended', 'ended'),
  lastSeq: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
});

/** Sorts wakes, because messages are grouped by workspace. */
function sorted(wakes: readonly RemoteWake[]): string[] {
  return wakes
    .map(({ run, workspace, kind, lastSeq }) => JSON.stringify([run, workspace, kind, lastSeq]))
    .sort();
}

describe('messages', () => {
  test('carry all wakes unchanged, each message within the limit of Postgres', () => {
    fc.assert(
      fc.property(fc.array(wake, { maxLength: 600, size: 'max' }), (wakes) => {
        const { messages, unsendable } = encodeWakes('me', wakes);
        const read = messages.flatMap((text) => {
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(7_900);
          const message = decodeMessage(text, 'you');
          return message?.type === 'wakes' ? message.wakes : [];
        });
        expect(unsendable).toBe(0);
        expect(sorted(read)).toEqual(sorted(wakes));
      }),
      { numRuns: 200 },
    );
  });

  test('omit and count wakes that are too long for a message', () => {
    const small = { run: 1, workspace: 'a', kind: 'ended', lastSeq: 3 } as const;
    const { messages, unsendable } = encodeWakes('me', [{ ...small, workspace: 'b'.repeat(7_900) }, small]);
    expect(unsendable).toBe(1);
    expect(messages.map((text) => decodeMessage(text, 'you'))).toEqual([
      { type: 'wakes', wakes: [{ ...small, chunk: null }] },
    ]);
  });

  test('of the process itself are ignored except probes, and probes of others are ignored', () => {
    const { messages } = encodeWakes('me', [{ run: 1, workspace: 'a', kind: 'ended', lastSeq: 3 }]);
    expect(messages.map((text) => decodeMessage(text, 'me'))).toEqual([null]);
    expect(decodeMessage(encodeProbe('me', 17), 'me')).toEqual({ type: 'probe', number: 17 });
    expect(decodeMessage(encodeProbe('me', 17), 'you')).toBeNull();
  });

  test('with any content are decoded without an error', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json().map((json) => `1:you:${json}`),
    );
    fc.assert(fc.property(anything, (text) => void decodeMessage(text, 'me')));
  });
});

test('wakes of one run fold in any order to the strongest kind and the highest number', () => {
  const strength = { appended: 0, job: 1, created: 2, ended: 3 } as const;
  fc.assert(
    fc.property(fc.array(wake, { minLength: 1 }), (wakes) => {
      const ofOne = wakes.map((each) => ({ ...each, run: 1, workspace: 'a' }));
      const folded = ofOne.reduce(foldWakes);
      expect(folded.lastSeq).toBe(Math.max(...ofOne.map(({ lastSeq }) => lastSeq)));
      expect(strength[folded.kind]).toBe(Math.max(...ofOne.map(({ kind }) => strength[kind])));
      expect(ofOne.toReversed().reduce(foldWakes)).toEqual(folded);
    }),
  );
});
