-- CreateTable
CREATE TABLE "run" (
    "key" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "workspace" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "runtime" TEXT NOT NULL,
    "title" TEXT,
    "labels" JSONB NOT NULL,
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

    CONSTRAINT "run_provider_check" CHECK ("provider" IN ('anthropic', 'deepseek', 'openai', 'gemini', 'mistral')),
    CONSTRAINT "run_runtime_check" CHECK ("runtime" IN ('native', 'managed'))
);

-- CreateTable
-- Equalities, not IN: SQLite builds a table for every evaluated IN, which cost 40 % of all inserts.
CREATE TABLE "event" (
    "run" INTEGER NOT NULL,
    "seq" BIGINT NOT NULL,
    "source_seq" BIGINT,
    "t_ms" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "committed_at" BIGINT NOT NULL,

    PRIMARY KEY ("run", "seq"),
    CONSTRAINT "event_kind_check" CHECK ("kind" = 'runtime_started' OR "kind" = 'assistant_text' OR "kind" = 'tool_request' OR "kind" = 'tool_response' OR "kind" = 'skill_loaded' OR "kind" = 'file_uploaded' OR "kind" = 'notification' OR "kind" = 'stream_error' OR "kind" = 'runtime_terminal')
);

-- CreateIndex
CREATE INDEX "run_workspace_key_idx" ON "run"("workspace", "key");

-- CreateIndex
CREATE UNIQUE INDEX "run_workspace_id_key" ON "run"("workspace", "id");
