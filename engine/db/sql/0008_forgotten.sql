-- When Redis last heard of a product, by its own clock, and when it let go of one that is archived.
ALTER TABLE play_configs ADD COLUMN warmed_ms bigint;
ALTER TABLE play_configs ADD COLUMN forgotten_at timestamptz;
UPDATE play_configs SET forgotten_at = archived_at WHERE archived_at IS NOT NULL;
CREATE INDEX play_configs_to_forget ON play_configs (id) WHERE archived_at IS NOT NULL AND forgotten_at IS NULL;
