"""What the snapshot holds: configs on sale, and their instances."""

from engine.catalog.model import PlayConfig
from engine.gate.records import ms
from engine.live.view import InstanceState
from engine.sdk import Playbook, Rules, States, View


class LiveConfig:
    """One config on sale."""

    __slots__ = (
        "asks",
        "config",
        "ends_ms",
        "guarded",
        "head_status",
        "holders",
        "instances",
        "left",
        "loading",
        "missing",
        "place",
        "playbook",
        "reopens_ms",
        "shard",
        "starts_ms",
        "suffixes",
        "taken",
    )

    def __init__(self, config: PlayConfig, playbook: Playbook | None) -> None:
        self.config = config
        self.missing = playbook is None  # its playbook is not installed, or could not be loaded
        self.playbook = playbook or stand_in(config.template_code)
        self.asks = frozenset(config.asks)  # facts that a click carries
        self.shard = config.shard
        self.starts_ms = ms(config.starts_at)
        self.ends_ms = ms(config.ends_at)
        self.head_status = 0  # 0: Redis does not know it yet
        self.left = 0
        self.reopens_ms = 0  # units that came back to a sold-out config are sold from then on
        self.instances: dict[str, LiveInstance] = {}
        self.place = place_of(config)
        self.suffixes: dict[str, list[str]] = {}  # label -> those it stands under for that, sorted: see Shelf
        # Not started or sold out: a click has to look twice before it goes to Redis.
        self.guarded = False
        # Everyone who has a click on record here; known only while the config is sold out, see `Live.sold_out`.
        self.holders: set[str] | None = None
        self.loading = False
        self.taken = 0  # how often units are known to have moved: a list of holders read across a move is no use

    def to_sell(self, now_ms: int) -> int:
        """Units a consumer can have at `now_ms`."""
        return self.left if now_ms >= self.reopens_ms else 0

    def reserved(self, user: str) -> None:
        """A click of this process has just been given units."""
        self.taken += 1
        if self.holders is not None:
            self.holders.add(user)


class LiveInstance:
    """One instance: its state, and the bytes it was last served as."""

    __slots__ = ("body", "config", "etag", "headers", "id", "state", "valid_until_ms")

    def __init__(self, instance_id: str, config: LiveConfig, state: InstanceState) -> None:
        self.id = instance_id
        self.config = config
        self.state = state
        self.body = b""
        self.etag = ""
        self.headers: list[tuple[str, str]] = []
        self.valid_until_ms = 0


def place_of(config: PlayConfig) -> str:
    """Where a config stands in lists: the newest first, then by id; an instance's place goes on with its suffix."""
    return f"{(1 << 48) - ms(config.created_at):013x}.{config.id}"


def stand_in(code: str) -> Playbook:
    """In the place of a playbook that is not loaded: consumers can see what it sells, and do nothing with it."""
    words = View(open="暂停中", join="暂停中")
    return Playbook(
        code=code, name=code, version="", unit_name="", rules=Rules, states=States(moves={}), step="", view=words
    )
