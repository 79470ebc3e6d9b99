-- CreateTable
-- A commit updates the run's row in place: room on its page keeps that update off the indexes.
CREATE TABLE "run" (
    "key" SERIAL NOT NULL,
    "workspace" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "runtime" TEXT NOT NULL,
    "title" TEXT,
    "labels" JSON NOT NULL,
    "created_at" BIGINT NOT NULL,
    "started_at" BIGINT,
    "ended_at" BIGINT,
    "last_seq" BIGINT NOT NULL DEFAULT -1,
    "last_source_seq" BIGINT NOT NULL DEFAULT -1,
    "last_t_ms" BIGINT NOT NULL DEFAULT 0,
    "event_count" BIGINT NOT NULL DEFAULT 0,
    "server_events" BIGINT NOT NULL DEFAULT 0,
    "terminal_seq" BIGINT,
    "removed_through" BIGINT NOT NULL DEFAULT -1,

    CONSTRAINT "run_pkey" PRIMARY KEY ("key"),
    CONSTRAINT "run_provider_check" CHECK ("provider" IN ('anthropic', 'deepseek', 'openai', 'gemini', 'mistral')),
    CONSTRAINT "run_runtime_check" CHECK ("runtime" IN ('native', 'managed'))
) WITH (fillfactor = 70);

-- CreateTable
CREATE TABLE "event" (
    "run" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "source_seq" BIGINT,
    "t_ms" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "data" JSON NOT NULL,
    "committed_at" BIGINT NOT NULL,

    CONSTRAINT "event_pkey" PRIMARY KEY ("run","seq"),
    CONSTRAINT "event_kind_check" CHECK ("kind" IN ('runtime_started', 'assistant_text', 'tool_request', 'tool_response', 'skill_loaded', 'file_uploaded', 'notification', 'stream_error', 'runtime_terminal'))
);

-- CreateIndex
CREATE INDEX "run_workspace_key_idx" ON "run"("workspace", "key");

-- CreateIndex
CREATE UNIQUE INDEX "run_workspace_id_key" ON "run"("workspace", "id");
