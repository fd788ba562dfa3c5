"""Load scenarios. `--shape stampede` or `soak`, `--tags read`, `--headless` with thresholds: loadtests/README.md.

locust -f loadtests/locustfile.py --host http://127.0.0.1:8000
locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --headless -u 200 -r 50 -t 60s --shape stampede
"""

from loadtests.scenarios.personas import Bot, Browser, Buyer, DoubleClicker, GroupJoiner, GroupLeader
from loadtests.scenarios.shapes import Chosen
from loadtests.scenarios.thresholds import judge

__all__ = ["Bot", "Browser", "Buyer", "Chosen", "DoubleClicker", "GroupJoiner", "GroupLeader", "judge"]
