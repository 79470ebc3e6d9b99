-- AlterTable
ALTER TABLE "run" ADD COLUMN "fence" TEXT;

-- CreateTable
-- A job's row changes at every step: room on its page keeps most of those updates off the page's neighbours.
CREATE TABLE "job" (
    "run" INTEGER NOT NULL,
    "status" TEXT NOT NULL,
    "substrate" TEXT NOT NULL,
    "host" TEXT,
    "runner" TEXT NOT NULL,
    "image" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    "cpus" DOUBLE PRECISION,
    "memory_mb" INTEGER,
    "max_run_duration_ms" BIGINT NOT NULL,
    "spec_hash" TEXT NOT NULL,
    "payload" TEXT,
    "wish" TEXT NOT NULL,
    "stop_reason" TEXT,
    "stop_asked_at" BIGINT,
    "kill_at" BIGINT,
    "start_asked_at" BIGINT,
    "app_name" TEXT,
    "machine_id" TEXT,
    "claim_instance" TEXT,
    "claimed_at" BIGINT,
    "error_class" TEXT,
    "error_message" TEXT,
    "exit_code" INTEGER,
    "stats" TEXT,
    "stats_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "provisioned_at" BIGINT,
    "started_at" BIGINT,
    "ended_at" BIGINT,
    "settled_at" BIGINT,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "next_step_at" BIGINT NOT NULL,
    "lease_owner" TEXT,
    "lease_until" BIGINT,
    "version" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "job_pkey" PRIMARY KEY ("run"),
    CONSTRAINT "job_status_check" CHECK ("status" IN ('queued', 'provisioning', 'running', 'stopping', 'terminated', 'failed')),
    CONSTRAINT "job_wish_check" CHECK ("wish" IN ('run', 'stop'))
) WITH (fillfactor = 50);

-- CreateIndex
CREATE INDEX "job_settled_at_next_step_at_idx" ON "job"("settled_at", "next_step_at");

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_run_fkey" FOREIGN KEY ("run") REFERENCES "run"("key") ON DELETE RESTRICT ON UPDATE CASCADE;
