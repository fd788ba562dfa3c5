-- What has ended and has nothing open leaves Redis, memory and rebuilds; here it stays.
ALTER TABLE play_configs ADD COLUMN archived_at timestamptz;
DROP INDEX play_configs_on_sale;
CREATE INDEX play_configs_live ON play_configs (shard, id) WHERE status <> 'DRAFT' AND archived_at IS NULL;
CREATE INDEX play_configs_ended ON play_configs (id) WHERE status = 'ENDED' AND archived_at IS NULL;
-- Whose product is over need not wait for their own time.
CREATE INDEX instances_waiting ON instances (config_id)
    WHERE wake_at IS NOT NULL AND status IN ('PENDING', 'ACTIVE');
CREATE INDEX play_configs_to_archive ON play_configs (ends_at) WHERE status <> 'DRAFT' AND archived_at IS NULL;
