#!/bin/sh
# Packs the package, installs the tarball in an empty folder as users do, and runs the installed package:
# a server, a run, a batch, the published entries, a stop. Needs the registry; takes about a minute.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then kill -9 "$server" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap cleanup EXIT

cd "$root"
npm pack --pack-destination "$folder" >"$folder/pack.log" 2>&1 || { cat "$folder/pack.log"; exit 1; }
mkdir "$folder/user"
cd "$folder/user"
echo '{ "private": true }' >package.json
npm install --engine-strict --no-audit --no-fund "$folder"/runfeed-*.tgz

npx --no-install runfeed --version

# Not through npx: the signal must reach the server itself.
PORT=0 DATABASE_URL="file:$folder/data/runfeed.db" node_modules/.bin/runfeed serve >"$folder/out" 2>"$folder/log" &
server=$!
for _ in $(seq 600); do
  if grep -q 'listening on' "$folder/out"; then break; fi
  kill -0 "$server" || { cat "$folder/log"; exit 1; }
  sleep 0.1
done
url=$(sed -n 's/.*listening on //p' "$folder/out")

cat >use.mjs <<'JS'
import { validateRunnerEventBatch } from 'runfeed/contract';
import { ingestBatch, streamEvents } from 'runfeed/client';
import { WebSocket } from 'ws';

const url = `${process.argv[2]}/graphql`;
const query = 'mutation { createRun(input: { id: "r", provider: anthropic }) { __typename } }';
const headers = { 'content-type': 'application/json' };
const created = await (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })).json();
if (created.data?.createRun.__typename !== 'CreateRunSuccess') throw new Error(JSON.stringify(created));

const events = ['runtime_started', 'assistant_text', 'runtime_terminal'].map((kind, seq) => ({ seq, tMs: seq, kind, data: { seq } }));
const { ok, batch } = validateRunnerEventBatch({ v: 1, runId: 'r', events });
const stored = ok && (await ingestBatch(batch, { url, previousSeq: -1 }));
if (!stored || stored.accepted !== events.length) throw new Error(JSON.stringify(stored));

let seen = 0;
for await (const { seq } of streamEvents('r', { url, webSocketImpl: WebSocket })) if (seq === seen) seen += 1;
if (seen !== events.length) throw new Error(`only ${seen} events arrived`);
JS
node use.mjs "$url"

kill "$server"
code=0
wait "$server" || code=$?
server=
if [ "$code" -ne 0 ]; then
  cat "$folder/log"
  echo "the server exited with $code" >&2
  exit 1
fi
echo "the installed package works"
