import { type FrameSocket, openFrameSocket } from './frame-socket.ts';

const LOST_AFTER_MS = 30_000;

/** Many subscribers that count the messages they receive. */
export interface Audience {
  /** Messages that all subscribers together have received. */
  total(): number;
  /**
   * Resolves when the total is reached. Rejects if that takes half a minute or the server closes a
   * subscriber.
   */
  reached(total: number): Promise<void>;
  readonly sockets: readonly FrameSocket[];
  close(): void;
}

/** Connects `size` subscribers. The caller sends their first messages. */
export async function openAudience(url: string, size: number, protocol: string | null): Promise<Audience> {
  let total = 0;
  let awaited = Number.POSITIVE_INFINITY;
  let settle = () => {};
  let fail = (_error: Error): void => {};
  const onTexts = (count: number): void => {
    total += count;
    if (total >= awaited) settle();
  };
  const onClosed = (): void => fail(new Error('a server closed a subscriber’s socket'));
  const sockets: FrameSocket[] = [];
  for (let index = 0; index < size; index += 1) {
    sockets.push(await openFrameSocket(url, protocol, onTexts, onClosed));
  }
  return {
    sockets,
    total: () => total,
    reached: (target) =>
      new Promise((resolve, reject) => {
        if (total >= target) return resolve();
        const lost = () => fail(new Error(`${target - total} of ${target} messages did not arrive`));
        const timer = setTimeout(lost, LOST_AFTER_MS);
        awaited = target;
        const done = () => {
          clearTimeout(timer);
          awaited = Number.POSITIVE_INFINITY;
          fail = () => {};
        };
        settle = () => {
          done();
          resolve();
        };
        fail = (error) => {
          done();
          reject(error);
        };
      }),
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
}
