"""Every key in the hot Redis. Each carries its shard's hash tag, so one script call stays on one slot."""

# Fields of `cells` that are no instances: a suffix may not be called so.
FIELDS_OF_CONFIG = frozenset({"head", "left", "reopens"})


def epoch(shard: int) -> str:
    """String: the epoch the shard is open in; absent while it is being rebuilt."""
    return f"{{s{shard}}}:epoch"


def intents(shard: int) -> str:
    """Stream: one entry a batch, what its clicks did."""
    return f"{{s{shard}}}:intents"


def changed(shard: int) -> str:
    """Sorted set: config and instance ids by the sequence number of their last change."""
    return f"{{s{shard}}}:changed"


def gone(shard: int) -> str:
    """Sorted set: ids of archived configs that `changed` still announces, by when they went (Redis' time, ms)."""
    return f"{{s{shard}}}:gone"


def cells(shard: int, config_id: str) -> str:
    """Hash: `head` (rules, window, status), `left` (units), `reopens` (ms), and each instance's cells by suffix."""
    return f"{{s{shard}}}:{config_id}:cells"


def people(shard: int, config_id: str) -> str:
    """Hash: what each person has done on the config, by user id."""
    return f"{{s{shard}}}:{config_id}:people"
