"""A step that fails is started again, and then has all the time that it needs."""

import time

from tests.cluster.federation import Cluster
from tests.cluster.probing import probe

SITE = "mhh-hannover-de"
# Longer than all waits between attempts together.
SECONDS = 75
FAILS_ONCE = """
import json, pathlib, sys, time
findings, wishes = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
before = pathlib.Path("/work", wishes["name"])
if not before.exists():
    before.write_text(str(time.time()))
    sys.exit("the first attempt fails")
time.sleep(wishes["seconds"])
findings.parent.mkdir(parents=True, exist_ok=True)
findings.write_text(json.dumps({"since": before.read_text(), "now": str(time.time())}))
before.unlink()
"""


def test_a_second_attempt_is_not_ended_for_the_time_that_it_takes(cluster: Cluster) -> None:
    wishes = {"name": f"attempted-{int(time.time())}", "seconds": SECONDS}
    found = probe(cluster, SITE, FAILS_ONCE, wishes, again=True)
    assert float(found["now"]) - float(found["since"]) >= SECONDS
