"""A fuzzer's course: one real association, which is brought to the operating state and fed mutated APDUs.

Three of five mutations keep every length right and change the content (`splices`); the others damage bytes anywhere
(`mutations`). Most responses get the invoke-id of the pending request, so that they match the request. An association
that has ended is established again, mostly by unmutated APDUs. The seed alone fixes all inputs of a course.

Each read is checked: no exception is raised, and the events, the sent bytes and the calls are bounded by the received
bytes.
"""

import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.states import State
from tests.builders.ieee11073_mutations import damaged, sliced
from tests.builders.ieee11073_splices import Pool, Sample

CALLS_MAX: Final = 5_000
CALLS_AN_OCTET_MAX: Final = 200
"""Limit of Python and C calls for each byte of an APDU. The highest count measured, for some fifty bytes, was 2 100."""
ANSWER_OCTETS_MAX: Final = 200
"""Limit of the bytes sent because of one APDU: a Get, a response and the services' requests together. An agent's Get
response counts by its content."""
_CALLS_COUNTED_EVERY = 128
_RESPONSES_FROM = 0x02
_REPORT_ANSWER = b"\x02\x01"
_CONFIG_OR_SEGMENT = (b"\x0d\x1c", b"\x0d\x21")
"""Event types that get a response before anything is stored: configurations, and invalid segment events."""
_STEPS_DUE_MAX = 20
"""Limit of successive `expire` calls while neither time passes nor bytes arrive."""


class StepsExceeded(AssertionError):
    """An APDU cost more calls than any may."""


class Steps:
    """A context manager that counts Python and C calls in its block, and raises StepsExceeded after `limit` calls.

    It finds a hang by the number of calls, so that the speed of the machine does not matter.
    """

    def __init__(self, limit: int) -> None:
        self.left = limit

    def __enter__(self) -> "Steps":
        sys.setprofile(self._called)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(None)

    def _called(self, frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                raise StepsExceeded("an APDU takes too many steps")


def is_response(octets: bytes) -> bool:
    """Return whether an APDU is a response to a request."""
    return len(octets) > 8 and octets[:2] == b"\xe7\x00" and octets[8] >= _RESPONSES_FROM


def kind_of(request: bytes) -> bytes:
    """Return the bytes of a request that decide which responses match it: the message type, and the event type, action
    type or object handle."""
    message = request[8:10]
    about = {b"\x01\x01": request[18:20], b"\x01\x07": request[14:16]}.get(message, request[12:14])
    return message + about


class Samples:
    """The messages that a fuzzing course mutates: mostly requests and reports that are valid in the operating state,
    and responses while a request is pending."""

    def __init__(
        self, due: Sequence[Sample], every: Sequence[Sample], answers: Mapping[bytes, Sequence[Sample]]
    ) -> None:
        """Create the set of samples.

        `due` are APDUs of the simulated peer, `every` are all APDUs of the corpus in both directions, `answers` maps
        each kind of request (see `kind_of`) to recorded responses.
        """
        self._requests = [one for one in due if one.octets[0] == 0xE7 and not is_response(one.octets)]
        self._responses = [one for one in every if is_response(one.octets)]
        self._every = every
        self._answers = answers

    def one(self, random: Random, asked: bytes | None) -> Sample:
        choice = random.random()
        samples = self._every
        if asked is not None and choice < 0.6:
            fitting = self._answers.get(kind_of(asked))
            samples = fitting if fitting and choice < 0.5 else self._responses
        elif choice < 0.9:
            samples = self._requests
        elif choice < 0.98:  # an APDU that ends the association does so even if mutated, so it is chosen less often
            some = [samples[int(random.random() * len(samples))] for _ in range(2)]
            samples = [one for one in some if one.octets[0] == 0xE7 and not is_response(one.octets)] or some
        return samples[int(random.random() * len(samples))]


class Course(ABC):
    """One association under fuzzing. `fed` counts the mutated APDUs; `met` counts, for each kind of event, the events
    of that kind."""

    def __init__(self, pool: Pool, samples: "Samples", random: Random) -> None:
        self.pool = pool
        self.samples = samples
        self.random = random
        self.now_s = 0.0
        self.fed = 0
        self.met: Counter[str] = Counter()
        self.asked: bytes | None = None
        """The pending request of the association."""
        self.trace: deque[bytes] = deque(maxlen=3)
        """The last inputs, which are printed when the course fails."""
        self._waiting = 0
        """Bytes that the present events can come from: the bytes just received, and earlier bytes of an incomplete
        APDU."""

    association: ManagerAssociation | AgentAssociation

    @abstractmethod
    def due(self) -> Sample | None:
        """Return the message that the association needs next to reach Operating, or None if it operates."""

    @abstractmethod
    def renewed(self) -> None:
        """Replace the closed association by a new one on a new link."""

    @abstractmethod
    def operates(self) -> None:
        """Let our side take an action that is possible in the operating state, such as a report or a command to a
        service."""

    def acts(self) -> None:
        """Let our side act at random: mostly `operates`, else an abort, a release or the end of the link."""
        match self.random.randrange(10):
            case 0:
                self.took(self.association.abort())
            case 1:
                self.took(self.association.release(self.now_s))
            case 2:
                self.took(self.association.receive(b"", self.now_s))
            case _:
                if self.association.state is State.OPERATING:
                    self.operates()
                    self.sent(self.association.to_send())

    def run(self, apdus: int) -> None:
        """Feed APDUs until `apdus` of them were mutated ones."""
        random = self.random
        while self.fed < apdus:
            if self.association.closed:
                self.renewed()
            sample = self.due()
            if sample is None or random.random() < 0.05:
                sample = self.samples.one(random, self.asked)
                if random.random() < 0.15:  # unmutated, so that the course reaches later states
                    self.receive(self.addressed(sample.octets))
                else:
                    self.feed(self.mutated(sample))
            elif random.random() < 0.08:
                self.feed(self.mutated(sample))
            else:
                self.receive(self.addressed(sample.octets))
            if random.random() < 0.06:
                self.acts()
            if random.random() < 0.03:
                self.passes(random.choice((0.5, 3.0, 10.0)))

    def mutated(self, sample: Sample) -> bytes:
        self.fed += 1
        if self.random.random() < 0.6:
            return self.addressed(self.pool.changed(sample, self.random))
        return damaged(self.addressed(sample.octets), self.random)

    def addressed(self, octets: bytes) -> bytes:
        """Return the APDU; if it is a response, replace its invoke-id by that of the pending request
        in 95 % of cases."""
        if self.asked is None or not is_response(octets) or self.random.random() < 0.05:
            return octets
        asked, self.asked = self.asked, None
        return octets[:6] + asked[6:8] + octets[8:]

    def feed(self, octets: bytes) -> None:
        """Feed one mutated APDU to the association, whole or in pieces. For every 128th APDU, also limit the number of
        Python and C calls."""
        if self.fed % _CALLS_COUNTED_EVERY == 0:
            with Steps(CALLS_MAX + CALLS_AN_OCTET_MAX * (self.association._stream.pending_bytes + len(octets))):
                self.receive(octets)
        elif self.random.random() < 0.05:
            for piece in sliced(octets, self.random):
                self.receive(piece)
        else:
            self.receive(octets)

    def receive(self, octets: bytes) -> None:
        if not octets:
            return
        self.trace.append(octets)
        self.now_s += 0.01
        self._waiting = self.association._stream.pending_bytes + len(octets)
        self.took(self.association.receive(octets, self.now_s))
        self.does_what_is_due()

    def passes(self, seconds: float) -> None:
        """Advance the time by `seconds`, and handle every deadline that has passed."""
        self.now_s += seconds
        self._waiting = self.association._stream.pending_bytes
        self.took(self.association.expire(self.now_s))
        self.does_what_is_due()

    def does_what_is_due(self) -> None:
        """Call `expire` until no deadline is due at the present time, as the code that drives an association does."""
        for _ in range(_STEPS_DUE_MAX):
            due_s = self.association.deadline_s
            if due_s is None or due_s > self.now_s:
                return
            self.took(self.association.expire(self.now_s))
        raise AssertionError("something is due without end")

    def took(self, events: list[Event]) -> None:
        """Pass each event to `settle`, and check that events and sent bytes are bounded by the received bytes.

        Bytes of earlier reads count too, since a false length may have delayed their processing.
        """
        assert len(events) <= 2 * self._waiting + 80
        self.sent(self.association.to_send(), settled=False)
        for event in events:
            self.met[type(event).__name__] += 1
            if isinstance(event, Deviation):
                assert len(event.octets) <= 256
            self.settle(event)
        self.sent(self.association.to_send())

    @abstractmethod
    def settle(self, event: Event) -> None:
        """Report to the association that the event was stored (`delivered`) or could not be stored (`refused`)."""

    def sent(self, octets: bytes, *, settled: bool = True) -> None:
        """Check the sent bytes, and remember the last request in them.

        With `settled` false, the events of the read were not reported as delivered or refused yet, so the sent bytes
        must not acknowledge a report.
        """
        assert len(octets) <= ANSWER_OCTETS_MAX * (self._waiting // 6 + 3)
        at = 0
        while at < len(octets):
            if octets[at : at + 2] == b"\xe7\x00" and octets[at + 8] < _RESPONSES_FROM:
                self.asked = octets[at : at + 20]
            elif octets[at + 8 : at + 10] == _REPORT_ANSWER:
                assert settled or octets[at + 18 : at + 20] in _CONFIG_OR_SEGMENT, "confirmed before it was durable"
                self.met["confirmed"] += 1
            at += 4 + int.from_bytes(octets[at + 2 : at + 4], "big")
        assert at == len(octets), "only whole APDUs are sent"
