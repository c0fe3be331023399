"""The steps of recovery from repeated failures of a device: each step is taken when the previous step did not help.

A bond is removed only by a person.
"""

from gateway.transports.ble.faults import Fault, FaultKind
from gateway.transports.ble.standing import POWER_CYCLE_AFTER, Rung, Standing


def rungs(kind: FaultKind, count: int, *, bonded: bool = False) -> list[Rung]:
    standing = Standing()
    steps = []
    for _ in range(count):
        standing.failed(Fault(kind, "in words"), bonded=bonded)
        steps.append(standing.due)
    return steps


def test_cached_services_are_removed_once_after_two_failures_to_read_the_service_table():
    steps = rungs(FaultKind.TABLE, 5)
    assert steps == [Rung.AGAIN, Rung.FORGET, Rung.AGAIN, Rung.AGAIN, Rung.AGAIN]


def test_stale_cached_service_table_is_removed_immediately_and_only_once():
    assert rungs(FaultKind.STALE, 3) == [Rung.FORGET, Rung.AGAIN, Rung.AGAIN]


def test_cached_services_of_a_bonded_device_are_never_removed():
    for kind in FaultKind:
        assert Rung.FORGET not in rungs(kind, 20, bonded=True)


def test_adapter_is_power_cycled_after_repeated_timeouts_of_a_device():
    steps = rungs(FaultKind.SILENT, 2 * POWER_CYCLE_AFTER)
    assert [number for number, step in enumerate(steps, 1) if step is Rung.POWER_CYCLE] == [6, 12]


def test_transient_faults_neither_power_cycle_the_adapter_nor_remove_cached_services():
    assert set(rungs(FaultKind.PASSING, 30)) == {Rung.AGAIN}


def test_operator_must_pair_a_device_again_after_it_refused_the_bond_keys_twice():
    assert rungs(FaultKind.KEYS, 2, bonded=True) == [Rung.AGAIN, Rung.ASK_OPERATOR]


def test_successful_link_resets_the_escalation_of_recovery_steps():
    standing = Standing()
    standing.failed(Fault(FaultKind.STALE, "old"), bonded=False)
    standing.worked()
    assert (standing.failures, standing.words, standing.due) == (0, "", Rung.AGAIN)
    standing.failed(Fault(FaultKind.STALE, "old again"), bonded=False)
    assert standing.due is Rung.FORGET
