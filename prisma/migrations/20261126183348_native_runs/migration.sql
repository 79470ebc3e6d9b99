-- CreateTable
-- Leases are renewed in place: room on its page keeps that off the page's neighbours.
CREATE TABLE "native_run" (
    "run" INTEGER NOT NULL,
    "source" TEXT NOT NULL,
    "session_id" TEXT,
    "spec_hash" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "settled_at" BIGINT,
    "lease_owner" TEXT,
    "lease_until" BIGINT,

    CONSTRAINT "native_run_pkey" PRIMARY KEY ("run"),
    CONSTRAINT "native_run_source_check" CHECK ("source" IN ('messages', 'session'))
) WITH (fillfactor = 70);

-- CreateIndex
CREATE INDEX "native_run_settled_at_lease_until_idx" ON "native_run"("settled_at", "lease_until");

-- AddForeignKey
ALTER TABLE "native_run" ADD CONSTRAINT "native_run_run_fkey" FOREIGN KEY ("run") REFERENCES "run"("key") ON DELETE RESTRICT ON UPDATE CASCADE;
