"""The peer's package-lock.json: `npm ci` refuses one that is out of step with what it locks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PEER = Path(__file__).resolve().parents[3] / "loadtests" / "peers" / "nestjs"
PACKAGES: dict[str, dict[str, Any]] = json.loads((PEER / "package-lock.json").read_text(encoding="utf-8"))["packages"]
WANTED = json.loads((PEER / "package.json").read_text(encoding="utf-8"))


def places(package: str, wanted: str) -> Iterator[str]:
    """Where Node looks for what a package wants: below it, beside it, and so on up to the top."""
    parts = package.split("/node_modules/") if package else []
    for depth in range(len(parts), -1, -1):
        yield "/node_modules/".join([*parts[:depth], wanted]) if depth else f"node_modules/{wanted}"


def test_the_lock_wants_what_package_json_wants() -> None:
    root = PACKAGES[""]
    kinds = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "engines")
    assert {kind: root.get(kind) for kind in kinds} == {kind: WANTED.get(kind) for kind in kinds}
    locked = {name: PACKAGES[f"node_modules/{name}"]["version"] for kind in kinds[:2] for name in WANTED[kind]}
    assert locked == WANTED["dependencies"] | WANTED["devDependencies"]


def test_whatever_a_locked_package_wants_is_locked() -> None:
    """What other platforms install, too: npm asks for all of it, whatever it runs on."""
    missing = [
        f"{package or 'package.json'}: {wanted}"
        for package, entry in PACKAGES.items()
        for kind in ("dependencies", "optionalDependencies")
        for wanted in entry.get(kind, ())
        if not any(place in PACKAGES for place in places(package, wanted))
    ]
    assert missing == []


def test_every_locked_package_is_known_by_its_content() -> None:
    """By a checksum, and by no address: each registry, or a mirror of it, will do."""
    packages = {name: entry for name, entry in PACKAGES.items() if name}
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
