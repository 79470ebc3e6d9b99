import { expect, test } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { event, idle, message, running } from '../runtimes/sessions-frames.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { type FakeSession, startFakeAnthropic } from '../support/fake-anthropic.ts';
import { failingCommits } from '../support/faulty-store.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually } from '../support/runs.ts';
import { hasEnded, loggedIn, startFollower } from './follower-process.ts';
import { contentOf } from './native.ts';
import { adapted, named } from './turn.ts';

const many = <Item>(count: number, item: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => item(index));
const texts = (id: string, count: number) => message(id, ...many(count, (index) => `${id}.${index}`));
const skill = (id: string) => ({ type: 'custom', skill_id: id, version: '1' });
const file = (id: string) => ({ type: 'document', source: { type: 'file', file_id: id } });

/** Session events that become more events of the run than one commit has, alone or with their neighbours. */
const BULKY = named([
  running(),
  texts('m1', 100),
  texts('m2', 100),
  texts('m3', 100),
  texts('m4', 600),
  event('user.message', { content: many(300, (index) => file(`f${index}`)) }),
  event('session.updated', { agent: { skills: many(300, (index) => skill(`k${index}`)) } }),
  texts('m5', 2),
  idle('end_turn'),
]);
const ABOUT = { agent: { skills: many(300, (index) => skill(`s${index}`)) } };

async function openTestStore() {
  const store = await openStore(await freshSqliteUrl());
  releaseAfterwards(() => store.close());
  return store;
}

test.each(['history', 'stream'] as const)(
  'a server that stops between any two commits loses and repeats nothing of a %s with bulky events',
  async (source) => {
    const provider = await startFakeAnthropic();
    const store = await openTestStore();
    const whole = contentOf(adapted(BULKY, { id: 's', ...ABOUT }));
    const tell = async (session: FakeSession) => {
      if (source === 'history') return session.miss(...BULKY);
      await eventually(() => session.streams().histories === 1);
      session.emit(...BULKY);
    };
    let wasCut = true;
    for (let allowed = 0; wasCut; allowed += 1) {
      wasCut = false;
      let commits = 0;
      const dying = failingCommits(store, () => {
        commits += 1;
        if (commits <= allowed) return null;
        wasCut = true;
        return 'lost before';
      });
      const session = provider.session(`cut-${source}-${allowed}`, ABOUT);
      const one = startFollower(dying, provider.url);
      if (source === 'history') await tell(session);
      const run = await one.start(session.id);
      if (source === 'stream') await tell(session);
      await eventually(async () => wasCut || (await hasEnded(store, run)));
      await one.close();
      const other = startFollower(store, provider.url);
      other.lookAfter();
      await eventually(() => hasEnded(store, run));
      await other.close();
      const logged = (await loggedIn(store, run)).filter(({ isOwn }) => !isOwn);
      const [first, ...rest] = whole as [{ data: object }];
      const began = { ...first, data: { ...first.data, sessionId: session.id } };
      expect(contentOf(logged), `after ${allowed} commits`).toEqual([began, ...rest]);
    }
  },
  60_000,
);

/** Follows a session in one process and, after `between`, in another to its end. Returns the log. */
async function handedOver(
  provider: Awaited<ReturnType<typeof startFakeAnthropic>>,
  session: FakeSession,
  begin: () => void,
  between: () => void,
) {
  const store = await openTestStore();
  const one = startFollower(store, provider.url);
  const run = await one.start(session.id);
  await eventually(() => session.streams().histories === 1);
  begin();
  await eventually(async () => (await loggedIn(store, run)).length > 0);
  await one.close();
  between();
  const other = startFollower(store, provider.url);
  other.lookAfter();
  await eventually(() => hasEnded(store, run));
  await other.close();
  return loggedIn(store, run);
}

test('a run that began with an event without an id resumes with the first event of the history', async () => {
  const provider = await startFakeAnthropic();
  const about = { agent: { skills: [skill('a')] } };
  const session = provider.session('s1', about);
  const history = named([
    event('user.message', { content: [file('f1')] }),
    message('m0', 'first'),
    message('m1', 'second'),
    idle('end_turn'),
  ]);
  const logged = await handedOver(
    provider,
    session,
    () => session.emit(running()),
    () => session.miss(...history),
  );
  expect(contentOf(logged)).toEqual(contentOf(adapted([running(), ...history], { id: 's1', ...about })));
});

test('a skill that a session got while no server followed it is in its run once', async () => {
  const provider = await startFakeAnthropic();
  const session = provider.session('s1', { agent: { skills: [skill('a')] } });
  const first = named([running(), message('m0', 'first')]);
  const updated = event('session.updated', { id: 'u', agent: { skills: [skill('a'), skill('b')] } });
  const logged = await handedOver(
    provider,
    session,
    () => session.emit(...first),
    () => {
      const later = provider.session('s1', { agent: { skills: [skill('a'), skill('b')] } });
      later.miss(...first, updated, { id: 'i', ...idle('end_turn') });
    },
  );
  const skills = logged.flatMap(({ kind, data }) => (kind === 'skill_loaded' ? [data.skill] : []));
  expect(skills).toEqual(['a', 'b']);
});
