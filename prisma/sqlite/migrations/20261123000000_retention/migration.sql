-- Where a run's terminal event goes when its history is removed. Left in "event" on Postgres it would hold a page of
-- that table's index for ever; here it goes for the sake of one behaviour on both.
CREATE TABLE "terminal" (
    "run" INTEGER NOT NULL PRIMARY KEY,
    "seq" BIGINT NOT NULL,
    "source_seq" BIGINT,
    "t_ms" BIGINT NOT NULL,
    "data" JSONB NOT NULL,
    "committed_at" BIGINT NOT NULL
);

-- In this order retention goes through the runs that have ended.
CREATE INDEX "run_ended_at_key_idx" ON "run"("ended_at", "key");
