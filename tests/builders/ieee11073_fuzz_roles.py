"""The fuzzer's courses for the two roles: our manager with faulty agents, and our agent with faulty managers."""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

from protocols.errors import LocalProtocolError
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.states import State
from tests.builders.ieee11073_fuzz import Course, Samples
from tests.builders.ieee11073_splices import Pool, Sample

_UNSETTLED_MAX: Final = 50


class ManagerCourse(Course):
    """An association of our manager with a faulty agent, which is fed mutated APDUs."""

    def __init__(
        self,
        pool: Pool,
        samples: Samples,
        random: Random,
        *,
        prefix: tuple[Sample, Sample, Sample],
        make: Callable[[], ManagerAssociation],
        command: Callable[[ManagerAssociation, float, Random], None],
    ) -> None:
        """Create a fuzzing course.

        `prefix` are a device's AARQ, configuration report and Get response, which establish the association; `make`
        creates a manager; `command` gives a command to one of the manager's services.
        """
        super().__init__(pool, samples, random)
        self._prefix = prefix
        self._make = make
        self._command = command
        self.manager = self.association = make()
        self._identified = False
        self._unsettled: list[Event] = []

    def due(self) -> Sample | None:
        request, configuration, identity = self._prefix
        match self.manager.state:
            case State.UNASSOCIATED:
                self._identified = False
                return request
            case State.WAITING_FOR_CONFIG:
                return configuration
            case _ if not self._identified:
                self._identified = True
                return identity
            case _:
                return None

    def renewed(self) -> None:
        self._unsettled.clear()
        assert self.manager.receive(b"more", self.now_s) == []
        self.manager = self.association = self._make()

    def operates(self) -> None:
        """Give a command to one of the manager's services; ignore a command that is not allowed now."""
        with suppress(LocalProtocolError):
            self._command(self.manager, self.now_s, self.random)

    def settle(self, event: Event) -> None:
        """Report events to the manager as delivered, or in a tenth of cases as refused.

        A tenth of the events is reported later, together with a later event, whatever the association's state is then.
        """
        self._unsettled.append(event)
        if len(self._unsettled) > _UNSETTLED_MAX or self.random.random() < 0.9:
            for told in self._unsettled:
                (self.manager.refused if self.random.random() < 0.1 else self.manager.delivered)(told)
            self._unsettled.clear()
        if isinstance(event, ReportReceived):
            self.met["observations"] += len(event.observations)
            for one in event.observations:
                assert (one.value is None) != (one.samples is None)


class AgentCourse(Course):
    """An association of our agent with a faulty manager, which is fed mutated APDUs."""

    def __init__(
        self,
        pool: Pool,
        samples: Samples,
        random: Random,
        *,
        answers: tuple[Sample, Sample],
        make: Callable[[], AgentAssociation],
        report: Callable[[AgentAssociation, float, Random], Any],
    ) -> None:
        """Create a fuzzing course.

        `answers` are the manager's AARE and its response to the configuration; `make` creates an agent; `report` sends
        one report.
        """
        super().__init__(pool, samples, random)
        self._answers = answers
        self._make = make
        self._report = report
        self.agent = self.association = make()

    def due(self) -> Sample | None:
        match self.agent.state:
            case State.UNASSOCIATED:
                self.took(self.agent.associate(self.now_s))
                return self._answers[0]
            case State.ASSOCIATING:
                return self._answers[0]
            case State.WAITING_APPROVAL:
                return self._answers[1]
            case _:
                return None

    def renewed(self) -> None:
        self.agent = self.association = self._make()

    def operates(self) -> None:
        self._report(self.agent, self.now_s, self.random)

    def settle(self, event: Event) -> None:
        (self.agent.refused if self.random.random() < 0.1 else self.agent.delivered)(event)
