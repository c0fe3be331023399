"""The two ways a protocol conversation goes wrong: the peer's fault or ours.

A decoder raises `RemoteProtocolError` and nothing else, on any bytes: that sentence is the fuzz test.
`LocalProtocolError` says that our own code asked for something the protocol forbids, so it is a bug and never an
answer to a peer. What to send back (RORJ, ROER, ABRT) is decided by the association, not here.
"""


class ProtocolError(Exception):
    """Something in a conversation broke the rules."""


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
    """Our own side asked for something that the protocol does not allow in this state."""
