-- AlterTable
ALTER TABLE "job" ADD COLUMN "status_ms" BIGINT NOT NULL DEFAULT 0;
ALTER TABLE "job" ADD COLUMN "looked_at" BIGINT NOT NULL DEFAULT 0;

-- A job of before: since when it has had its status is the best that is known.
UPDATE "job" SET "looked_at" = COALESCE(
  CASE "status" WHEN 'provisioning' THEN "provisioned_at" WHEN 'running' THEN "started_at" WHEN 'stopping' THEN "stop_asked_at"
    WHEN 'terminated' THEN "ended_at" WHEN 'failed' THEN "ended_at" END,
  "created_at");

-- CreateIndex
CREATE INDEX "job_status_run_idx" ON "job"("status", "run");

-- CreateIndex
CREATE INDEX "run_workspace_provider_key_idx" ON "run"("workspace", "provider", "key");

-- CreateIndex
CREATE INDEX "run_workspace_ended_at_key_idx" ON "run"("workspace", "ended_at", "key");
