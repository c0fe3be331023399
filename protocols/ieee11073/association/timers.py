"""States with a time limit, the setting of each limit, and the abort reason after a timeout (reference 20601 §9.3).

Requests of our own side (Get, confirmed event report) have separate deadlines, which apply in Operating only.
"""

from protocols.ieee11073.apdu.association import AbortReason
from protocols.ieee11073.association.states import State

STATE_TIMEOUTS: dict[State, str] = {
    State.ASSOCIATING: "to_assoc_s",
    State.WAITING_FOR_CONFIG: "to_config_s",
    State.WAITING_APPROVAL: "to_config_s",
    State.DISASSOCIATING: "to_release_s",
}
"""State → the settings field that limits the time in it. Entering the state restarts the timer."""

TIMEOUT_REASONS: dict[State, AbortReason] = {
    State.WAITING_FOR_CONFIG: AbortReason.CONFIGURATION_TIMEOUT,
    State.WAITING_APPROVAL: AbortReason.CONFIGURATION_TIMEOUT,
}
"""Abort reasons by state; in every other state the reason is RESPONSE_TIMEOUT."""


def timeout_reason(state: State) -> AbortReason:
    return TIMEOUT_REASONS.get(state, AbortReason.RESPONSE_TIMEOUT)
