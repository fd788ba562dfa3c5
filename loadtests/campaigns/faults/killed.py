"""SIGKILL, of one part or of both of a kind at once."""

import msgspec

from loadtests.campaigns.faults.recovery import Recovery, watch_recovery
from loadtests.campaigns.faults.scene import IsBack, Moment, Scene
from loadtests.campaigns.stack import Stack


class Killed(msgspec.Struct, frozen=True):
    """These parts die together."""

    victims: tuple[str, ...]

    @property
    def name(self) -> str:
        """The row of the table."""
        return f"{' and '.join(self.victims)} killed"

    async def happen(self, scene: Scene) -> Recovery:
        """Kill them, and wait until the service is whole again."""
        back = are_back(scene.stack, self.victims)
        for victim in self.victims:
            scene.stack.kill(victim)
        return await watch_recovery(scene, self.name, Moment.now(), back)


def are_back(stack: Stack, victims: tuple[str, ...]) -> IsBack:
    """To be made before: says whether each is another process by now, and takes connections."""
    pids_before = {victim: stack.pid_of(victim) for victim in victims}

    async def is_back() -> bool:
        for victim, pid_before in pids_before.items():
            if stack.pid_of(victim) in (None, pid_before) or not await stack.listens(victim):
                return False
        return True

    return is_back
