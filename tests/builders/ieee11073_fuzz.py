"""Courses for the fuzzer: a real association, brought to where reports and requests are due, fed mutated APDUs.

Three of five mutations keep every length right and change what is inside (`splices`), the others damage octets
anywhere (`mutations`). An answer gets the invoke-id that is waited for, most of the time, so that it is one. After an
end the association is begun anew, mostly by whole APDUs. One seed is one course, whatever else runs.

What must hold is asserted after each read: no exception, events and answers bounded by what came, calls bounded too.
"""

import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from protocols.deviation import Deviation
from protocols.ieee11073.association import AgentAssociation, Event, ManagerAssociation, State
from tests.builders.ieee11073_mutations import damaged, sliced
from tests.builders.ieee11073_splices import Pool, Sample

CALLS_MAX: Final = 5_000
CALLS_AN_OCTET_MAX: Final = 200
"""Python and C calls that one APDU may cost; the most that one of some fifty octets was seen to take is 2 100."""
ANSWER_OCTETS_MAX: Final = 200
"""No answer to one APDU is longer: Get, verdict and what the services ask together. An agent's Get answer is counted
by what the agent has to say."""
_CALLS_COUNTED_EVERY = 128
_RESPONSES_FROM = 0x02
_REPORT_ANSWER = b"\x02\x01"
_CONFIG_OR_SEGMENT = (b"\x0d\x1c", b"\x0d\x21")
"""Event types whose answers may not wait for a store: a configuration is judged, a broken segment event refused."""
_STEPS_DUE_MAX = 20
"""Steps that an association may take one after the other without time passing and without an octet."""


class StepsExceeded(AssertionError):
    """An APDU cost more calls than any may."""


class Steps:
    """Counts calls while something runs, and ends it where there are too many: a hang is found by steps, not time."""

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
    """Whether an APDU answers a request."""
    return len(octets) > 8 and octets[:2] == b"\xe7\x00" and octets[8] >= _RESPONSES_FROM


def kind_of(request: bytes) -> bytes:
    """What of a request decides which answers fit it: message, and the event, action or object that it is about."""
    message = request[8:10]
    about = {b"\x01\x01": request[18:20], b"\x01\x07": request[14:16]}.get(message, request[12:14])
    return message + about


class Samples:
    """What a course mutates: messages that are due in Operating above all, answers where one is waited for."""

    def __init__(
        self, due: Sequence[Sample], every: Sequence[Sample], answers: Mapping[bytes, Sequence[Sample]]
    ) -> None:
        """`due`: of the device or manager that is played; `every`: of the whole corpus, either way; `answers` by the
        kind of the request."""
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
        elif choice < 0.98:  # what ends an association ends it whatever is changed in it
            some = [samples[int(random.random() * len(samples))] for _ in range(2)]
            samples = [one for one in some if one.octets[0] == 0xE7 and not is_response(one.octets)] or some
        return samples[int(random.random() * len(samples))]


class Course(ABC):
    """One association under fire. `fed` counts mutated APDUs, `met` what came of them."""

    def __init__(self, pool: Pool, samples: "Samples", random: Random) -> None:
        self.pool = pool
        self.samples = samples
        self.random = random
        self.now_s = 0.0
        self.fed = 0
        self.met: Counter[str] = Counter()
        self.asked: bytes | None = None
        """The request that the association waits to have answered."""
        self.trace: deque[bytes] = deque(maxlen=3)
        """What was fed last, so that a failure can be told."""
        self._waiting = 0
        """Octets that what just happened can have taken: those that came, and those before them in the stream."""

    association: ManagerAssociation | AgentAssociation

    @abstractmethod
    def due(self) -> Sample | None:
        """What the association waits for before it operates; None: it operates."""

    @abstractmethod
    def renewed(self) -> None:
        """A new link."""

    @abstractmethod
    def operates(self) -> None:
        """What our own side does now and then in Operating."""

    def acts(self) -> None:
        """What our own side does now and then: mostly what is its work, else it leaves or the link ends."""
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
        """Feeds so many mutated APDUs."""
        random = self.random
        while self.fed < apdus:
            if self.association.closed:
                self.renewed()
            sample = self.due()
            if sample is None or random.random() < 0.05:
                sample = self.samples.one(random, self.asked)
                if random.random() < 0.15:  # whole, so that what follows it is reached
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
        """A response under the invoke-id that is waited for, most of the time."""
        if self.asked is None or not is_response(octets) or self.random.random() < 0.05:
            return octets
        asked, self.asked = self.asked, None
        return octets[:6] + asked[6:8] + octets[8:]

    def feed(self, octets: bytes) -> None:
        """One mutated APDU, whole or in pieces; another behind it now and then."""
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
        """Time goes on, and what is due is done."""
        self.now_s += seconds
        self._waiting = self.association._stream.pending_bytes
        self.took(self.association.expire(self.now_s))
        self.does_what_is_due()

    def does_what_is_due(self) -> None:
        """As a shell does: until nothing is due at this moment."""
        for _ in range(_STEPS_DUE_MAX):
            due_s = self.association.deadline_s
            if due_s is None or due_s > self.now_s:
                return
            self.took(self.association.expire(self.now_s))
        raise AssertionError("something is due without end")

    def took(self, events: list[Event]) -> None:
        """Events, and what goes out: bounded by what came, all of which may have waited behind a false length."""
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
        """What the shell says about an event."""

    def sent(self, octets: bytes, *, settled: bool = True) -> None:
        """What went out; the last request in it is the one to answer. Before anything of a read is settled, no report
        of it may be confirmed."""
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
