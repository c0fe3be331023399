"""The recovery ladder: each step only after the previous ones failed, and no bond is removed without a person."""

from gateway.transports.ble.faults import Fault, FaultKind
from gateway.transports.ble.standing import POWER_CYCLE_AFTER, Rung, Standing


def rungs(kind: FaultKind, count: int, *, bonded: bool = False) -> list[Rung]:
    standing = Standing()
    steps = []
    for _ in range(count):
        standing.failed(Fault(kind, "in words"), bonded=bonded)
        steps.append(standing.due)
    return steps


def test_a_table_that_does_not_come_is_forgotten_once_at_the_second_failure():
    steps = rungs(FaultKind.TABLE, 5)
    assert steps == [Rung.AGAIN, Rung.FORGET, Rung.AGAIN, Rung.AGAIN, Rung.AGAIN]


def test_a_table_that_lacks_something_is_forgotten_at_once_and_only_once():
    assert rungs(FaultKind.STALE, 3) == [Rung.FORGET, Rung.AGAIN, Rung.AGAIN]


def test_the_cache_of_a_bonded_device_is_never_forgotten_since_its_keys_go_with_it():
    for kind in FaultKind:
        assert Rung.FORGET not in rungs(kind, 20, bonded=True)


def test_a_device_that_stays_silent_has_the_adapter_switched_off_and_on_in_the_end():
    steps = rungs(FaultKind.SILENT, 2 * POWER_CYCLE_AFTER)
    assert [number for number, step in enumerate(steps, 1) if step is Rung.POWER_CYCLE] == [6, 12]


def test_interference_alone_never_touches_adapter_or_cache():
    assert set(rungs(FaultKind.PASSING, 30)) == {Rung.AGAIN}


def test_keys_that_are_refused_again_are_for_a_person():
    assert rungs(FaultKind.KEYS, 2, bonded=True) == [Rung.AGAIN, Rung.ASK_A_PERSON]


def test_a_link_that_worked_starts_the_ladder_anew():
    standing = Standing()
    standing.failed(Fault(FaultKind.STALE, "old"), bonded=False)
    standing.worked()
    assert (standing.failures, standing.words, standing.due) == (0, "", Rung.AGAIN)
    standing.failed(Fault(FaultKind.STALE, "old again"), bonded=False)
    assert standing.due is Rung.FORGET
