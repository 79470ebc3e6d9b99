import { expect, test } from 'vitest';
import { describeStores } from '../support/databases.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { cuttableStore, failingCommits } from '../support/faulty-store.ts';
import { eventually } from '../support/runs.ts';
import { hasEnded, type LoggedEvent, loggedIn, startFollower } from './follower-process.ts';
import { contentOf } from './native.ts';
import { adapted, TURN } from './turn.ts';

const ownOf = (events: readonly LoggedEvent[]) => events.filter(({ isOwn }) => isOwn);
const sentOf = (events: readonly LoggedEvent[]) => events.filter(({ isOwn }) => !isOwn);

describeStores('a server that lost its lease', ({ open }) => {
  /** Follows a session in a process whose store can be cut off, and then in another that takes it over. */
  async function twoProcesses() {
    const provider = await startFakeAnthropic();
    const session = provider.session('s1');
    const store = await open();
    const link = cuttableStore(store);
    const one = startFollower(link.store, provider.url);
    const run = await one.start(session.id);
    const logged = () => loggedIn(store, run);
    await eventually(() => session.streams().histories === 1);
    const told = adapted(TURN.slice(0, 4)).length - 1;
    session.emit(...TURN.slice(0, 4));
    await eventually(async () => (await logged()).length === told);
    const takeOver = async () => {
      const { opened } = session.streams();
      const other = startFollower(store, provider.url);
      other.lookAfter();
      await eventually(() => session.streams().opened > opened);
      return other;
    };
    const isOver = () => eventually(() => hasEnded(store, run));
    return { session, link, one, logged, takeOver, isOver };
  }

  test('does not end the run of its successor, however late its last words arrive', async () => {
    const { session, link, one, logged, takeOver, isOver } = await twoProcesses();
    session.cut();
    await eventually(() => session.streams().histories === 2);
    const before = ownOf(await logged());
    expect(before).toMatchObject([{ kind: 'stream_error' }]);
    link.cut();
    session.refuseStreams({ kind: 'refuse', status: 403 });
    session.cut();
    await eventually(() => link.failedCommits() > 0);
    const other = await takeOver();
    link.heal();
    await one.close();
    session.emit(...TURN.slice(4));
    await isOver();
    await other.close();
    expect(contentOf(sentOf(await logged()))).toEqual(contentOf(adapted(TURN, { id: session.id })));
    expect(ownOf(await logged())).toEqual(before);
    expect(session.received).toEqual([]);
  });

  test('reports none of its trouble in the run of its successor', async () => {
    const { session, link, one, logged, takeOver, isOver } = await twoProcesses();
    link.cut();
    session.cut();
    await eventually(() => link.failedCommits() > 0);
    const other = await takeOver();
    link.heal();
    await one.close();
    session.emit(...TURN.slice(4));
    await isOver();
    await other.close();
    expect(contentOf(await logged())).toEqual(contentOf(adapted(TURN, { id: session.id })));
  });

  test('does not interrupt a session that its successor has followed to the end', async () => {
    const { session, link, one, takeOver, isOver } = await twoProcesses();
    link.cut();
    // Only the successor reads the end: it is in the history, but not in the open stream.
    session.miss(...TURN.slice(4));
    const other = await takeOver();
    await isOver();
    link.heal();
    await eventually(() => session.streams().open === 0);
    await one.close();
    await other.close();
    expect(session.received).toEqual([]);
  });

  test('interrupts a session whose time is over only once its log says so', async () => {
    const provider = await startFakeAnthropic();
    const session = provider.session('s1');
    const store = await open();
    const hurried = { maxDurationMs: 1 };
    let commits = 0;
    const failing = failingCommits(store, () => {
      commits += 1;
      return 'lost before';
    });
    const one = startFollower(failing, provider.url, hurried);
    const run = await one.start(session.id);
    await eventually(() => commits > 0);
    await one.close();
    expect(session.received).toEqual([]);
    const other = startFollower(store, provider.url, hurried);
    other.lookAfter();
    await eventually(() => hasEnded(store, run));
    await other.close();
    expect(await loggedIn(store, run)).toMatchObject([{ data: { reason: 'max_duration_exceeded' } }]);
    expect(session.received).toEqual([{ events: [{ type: 'user.interrupt' }] }]);
  });
});
