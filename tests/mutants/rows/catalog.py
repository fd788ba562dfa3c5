"""The catalog: drafts, publication, what the gate is told; each store sees its own."""

from tests.mutants.row import row

LIFE = "engine/catalog/life.py"
DRAFTS = "engine/catalog/drafts.py"


ROWS = (
    row(
        "the gate is told again of sessions that it has touched",
        LIFE,
        "WHERE i.config_id = $1 AND rev = 0",
        "WHERE i.config_id = $1",
        "tests/integration/catalog",
        equivalent="scripts/lua/warm.lua leaves a session that is there as it is",
    ),
    row(
        "a store changes another store's draft",
        DRAFTS,
        ' WHERE id = $1 AND store_id = $2 AND status = \'DRAFT\'\n"""',
        ' WHERE id = $1 AND $2::text IS NOT NULL AND status = \'DRAFT\'\n"""',
        "tests/integration/access",
        equivalent="`edit` has read the draft as the store's own before, and it never changes hands",
    ),
    row(
        "a store deletes another store's draft",
        DRAFTS,
        "DELETE FROM play_configs WHERE id = $1 AND store_id = $2 AND status",
        "DELETE FROM play_configs WHERE id = $1 AND $2::text IS NOT NULL AND status",
        "tests/integration/access",
        equivalent="`delete` has read the draft as the store's own before, and it never changes hands",
    ),
)
