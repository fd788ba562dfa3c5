"""What must be there before api and worker are started: the tables and, in development, the demo.

`wanfa up --reload` runs this file in a process of its own, which loads playbooks as they are now.
"""

import logging
import sys

import uvloop

from engine.core.errors import WanfaError
from engine.core.settings import Settings, load_settings
from engine.local.demo import make_demo
from engine.local.state import complete, demo_password
from engine.runtime.bootstrap import open_engine
from engine.runtime.database import prepare_database


async def prepare(settings: Settings) -> list[str]:
    """Make what is missing; a line for each thing that was, or could not be. Raises what prevents a start."""
    logging.getLogger("wanfa.playbooks").setLevel(logging.CRITICAL)  # who is quarantined, `wanfa up` says itself
    # On the first start no worker has opened the shards yet: that the gate can't hear of products is no news.
    logging.getLogger("engine.catalog.life").setLevel(logging.ERROR)
    migrated = await prepare_database(settings)
    said = [f"migrated {label}" for label in migrated.applied]
    said += [f"playbook {code} is left out: {why}" for code, why in migrated.refused.items()]
    if settings.auth.demo_logins:
        async with open_engine(settings) as engine:
            made = await make_demo(engine, demo_password(settings))
        if made:
            said.append(f"demo products on sale: {', '.join(made)}")
    return said


def main() -> None:
    """Prepare by the settings in force."""
    try:
        print("\n".join(uvloop.run(prepare(complete(load_settings())))))  # noqa: T201  # its output is what it is for
    except WanfaError as error:
        sys.exit(f"not prepared: {error}")


if __name__ == "__main__":
    main()
