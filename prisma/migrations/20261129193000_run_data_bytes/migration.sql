-- AlterTable
ALTER TABLE "run" ADD COLUMN     "data_bytes" BIGINT NOT NULL DEFAULT 0;
