"""An agent responds, aborts or closes on any bytes: it never raises, never hangs, and its memory does not grow.

Of `ARGUS_FUZZ_COUNT` mutated APDUs (20 000 in `make test`, 5 000 000 in `make fuzz`), two fifths are sent to the
agent.
"""

import pytest

from tests.builders.fuzz_counts import APDUS, SHARDS
from tests.builders.fuzz_engine import run
from tests.builders.ieee11073_fuzz_peers import Peers


@pytest.fixture(scope="module")
def peers() -> Peers:
    return Peers()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_agent_raises_no_error_for_any_manager_bytes(peers: Peers, shard: int) -> None:
    apdus = APDUS * 2 // 5 // SHARDS
    met = run(peers, "agent", shard, apdus)
    assert met["ConfigurationAgreed"] > apdus // 50
    assert met["ReportAccepted"] > 0
