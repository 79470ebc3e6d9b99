-- Where a run's terminal event goes when its history is removed. Left in "event" it would hold a page of that table's
-- index for ever, since nothing is ever inserted between old keys.
CREATE TABLE "terminal" (
    "run" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "source_seq" BIGINT,
    "t_ms" BIGINT NOT NULL,
    "data" JSON NOT NULL,
    "committed_at" BIGINT NOT NULL,

    CONSTRAINT "terminal_pkey" PRIMARY KEY ("run")
);

-- In this order retention goes through the runs that have ended.
CREATE INDEX "run_ended_at_key_idx" ON "run"("ended_at", "key");

-- Removed events make room as soon as they are 2 % of the table, not 20 %. The cost delay stays what the server says.
ALTER TABLE "event" SET (autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
