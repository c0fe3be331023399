"""A manager responds, aborts or closes on any bytes: it never raises, never hangs, and its memory does not grow.

Of `ARGUS_FUZZ_COUNT` mutated APDUs (20 000 in `make test`, 5 000 000 in `make fuzz`), three fifths are sent to the
manager.
"""

import pytest

from tests.builders.fuzz_counts import APDUS, SHARDS
from tests.builders.fuzz_engine import run
from tests.builders.ieee11073_fuzz_peers import Peers


@pytest.fixture(scope="module")
def peers() -> Peers:
    return Peers()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_manager_raises_no_error_for_any_agent_bytes(peers: Peers, shard: int) -> None:
    apdus = APDUS * 3 // 5 // SHARDS
    met = run(peers, "manager", shard, apdus)
    # The fuzzer reaches the decoders of reports: mutated reports are accepted.
    assert met["ReportReceived"] > apdus // 20
    assert met["observations"] > apdus // 20
    assert met["MdsRead"] > apdus // 50
