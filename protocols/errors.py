"""Errors of a protocol: one for faults of the peer, one for faults of our own side.

A decoder raises `RemoteProtocolError` and nothing else, on any bytes; the fuzz tests verify this. `LocalProtocolError`
means that our own code requested something that the protocol forbids: it is a bug, whatever the peer sent. The
association decides what the peer receives (RORJ, ROER, ABRT), not this module.
"""


class ProtocolError(Exception):
    """Base of the protocol errors."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that the protocol does not allow.

    `at` is the offset in bytes from the start of the outermost value being decoded, None where no offset applies.
    `clause` names the rule, for instance "20601 A.2 AvaType" or "RFC 8949 3".
    """

    def __init__(self, reason: str, *, at: int | None = None, clause: str = "") -> None:
        self.reason = reason
        self.at = at
        self.clause = clause
        where = f" at byte {at}" if at is not None else ""
        rule = f" ({clause})" if clause else ""
        super().__init__(f"{reason}{where}{rule}")


class LocalProtocolError(ProtocolError):
    """Our own side requested something that the protocol does not allow in this state."""
