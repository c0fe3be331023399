"""The state tables are complete: for each state, each input that can occur has exactly one row."""

import re
from collections import Counter
from itertools import product

import pytest

from protocols.ieee11073.association.agent_table import AGENT
from protocols.ieee11073.association.manager_table import MANAGER
from protocols.ieee11073.association.states import Action, Input, Row, State

S, I = State, Input  # noqa: E741  # the tables' own abbreviations

MESSAGES = {
    I.RX_CONFIG,
    I.RX_REPORT,
    I.RX_GET,
    I.RX_OTHER_REQUEST,
    I.RX_RESPONSE_KNOWN,
    I.RX_RESPONSE_UNKNOWN,
}
EVERYWHERE = {I.LINK_DOWN, I.REQ_RELEASE, I.REQ_ABORT, I.RX_RLRQ, I.RX_RLRE, I.RX_ABRT, I.RX_UNREADABLE}
MANAGER_ASSOCIATED = {S.WAITING_FOR_CONFIG, S.CHECKING_CONFIG, S.OPERATING, S.DISASSOCIATING}
AGENT_ASSOCIATED = {S.CONFIG_SENDING, S.WAITING_APPROVAL, S.OPERATING, S.DISASSOCIATING}
AARES = {I.RX_AARE_ACCEPTED, I.RX_AARE_UNKNOWN_CONFIG, I.RX_AARE_REJECTED}


def cells(table: tuple[Row, ...]) -> set[tuple[State, Input]]:
    return {(row.state, row.input) for row in table}


@pytest.mark.parametrize("table", [MANAGER, AGENT], ids=["manager", "agent"])
def test_each_pair_of_state_and_input_has_at_most_one_state_table_row(table: tuple[Row, ...]) -> None:
    counted = Counter((row.state, row.input) for row in table)
    assert [cell for cell, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("table", [MANAGER, AGENT], ids=["manager", "agent"])
def test_state_table_row_number_begins_with_the_number_of_its_state(table: tuple[Row, ...]) -> None:
    for row in table:
        match = re.fullmatch(r"(\d)\.(\d+|[ubl])", row.number)
        assert match is not None, row
        assert int(match[1]) == row.state.value, row


def test_manager_state_table_covers_every_input_in_every_state() -> None:
    due = set(product(MANAGER_ASSOCIATED, EVERYWHERE | MESSAGES | {I.RX_AARQ, I.RX_AARE}))
    due |= set(product({S.UNASSOCIATED}, EVERYWHERE | {I.RX_PRST, I.RX_AARE}))
    due |= set(product({S.UNASSOCIATED}, {I.RX_AARQ_KNOWN_CONFIG, I.RX_AARQ_UNKNOWN_CONFIG, I.RX_AARQ_UNACCEPTABLE}))
    due |= set(product({S.WAITING_FOR_CONFIG, S.OPERATING, S.DISASSOCIATING}, {I.TIMEOUT}))
    due -= {(S.CHECKING_CONFIG, I.TIMEOUT)}
    assert due - cells(MANAGER) == set()


def test_agent_state_table_covers_every_input_in_every_state() -> None:
    due = set(product(AGENT_ASSOCIATED, EVERYWHERE | MESSAGES | AARES | {I.RX_AARQ}))
    due |= set(product({S.UNASSOCIATED, S.ASSOCIATING}, EVERYWHERE | AARES | {I.RX_PRST, I.RX_AARQ}))
    due |= set(product({S.ASSOCIATING, S.WAITING_APPROVAL, S.OPERATING, S.DISASSOCIATING}, {I.TIMEOUT}))
    due |= set(product({S.DISASSOCIATING}, {I.CONFIG_ACCEPTED, I.CONFIG_REFUSED}))
    assert due - cells(AGENT) == set()


@pytest.mark.parametrize("table", [MANAGER, AGENT], ids=["manager", "agent"])
def test_every_state_is_entered_and_left_by_at_least_one_state_table_row(table: tuple[Row, ...]) -> None:
    states = {row.state for row in table}
    assert {row.next for row in table} == states
    assert all(any(row.next is not state for row in table if row.state is state) for state in states)


def test_received_abort_gets_no_response_in_any_state_table_row() -> None:
    for row in (*MANAGER, *AGENT):
        if row.input is Input.RX_ABRT:
            assert row.action in (Action.IGNORE, Action.TAKE_ABRT)
            assert row.next is State.UNASSOCIATED


def test_state_table_rows_quoted_in_the_style_guide_exist() -> None:
    numbered = {row.number: row for row in MANAGER}
    assert numbered["2.9"].next is State.OPERATING
    assert numbered["2.10"].next is State.WAITING_FOR_CONFIG
    assert numbered["6.4"] == Row("6.4", S.WAITING_FOR_CONFIG, I.TIMEOUT, S.UNASSOCIATED, Action.SEND_ABRT)
