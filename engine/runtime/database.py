"""The database as the engine and every loaded playbook want it: migrated, with a row for each shard."""

from engine.core.connections import close_pool, open_pool
from engine.core.settings import Settings
from engine.db.migrations import Migrated, migrate, pending
from engine.playbooks.migrations import playbook_folders
from engine.playbooks.registry import load_playbooks
from engine.stream.recovery import make_shards


async def prepare_database(settings: Settings) -> Migrated:
    """Migrate for the engine and every loaded playbook, and make the rows of the shards.

    MigrationRefused when the engine's own cannot be applied.
    """
    registry = load_playbooks(settings.playbooks.disabled)
    registry.log_quarantined()
    migrated = await migrate(settings.postgres.url, playbook_folders(registry.sources))
    pool = await open_pool(settings.postgres.url, size_max=1)
    try:
        await make_shards(pool, settings.gate.shards)
    finally:
        await close_pool(pool)
    return migrated


async def pending_database(settings: Settings) -> Migrated:
    """What `prepare_database` would apply; changes nothing."""
    registry = load_playbooks(settings.playbooks.disabled)
    return await pending(settings.postgres.url, playbook_folders(registry.sources))
