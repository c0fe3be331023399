"""An association over a perfect, a fragmenting, a slow and a lossy link gives the same observations.

The tests use every simulated device and every form of scan report, for one person and for several. Over a lossy link
each confirmed report arrives at least once, and is resent only if its acknowledgement was lost. Each report is stored
exactly once, because repeated content is recognised. Within an association no report number is repeated.
"""

import os
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.association.manager_events import ReportsLost
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import episodic_scanner, numeric, periodic_scanner
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report, variable_report
from simulators.agents.device_clock import DeviceClock
from simulators.agents.kinds import KINDS, build_device
from simulators.agents.own_clock import ClockBehaviour, OwnClock
from simulators.agents.report import Report
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.ieee11073_devices import BPM, HEART_RATE, PERCENT, SPO2, STAMP, minute
from tests.builders.ieee11073_pair_links import LinkKind, Row, Spoken, Story, StoryRun

REPORTS_MAX = 8
LIVED_S = 13.0
"""Simulated seconds of the patient; each kind of device measures a value within them."""
LOSSY_SEEDS = range(int(os.environ.get("ARGUS_PAIR_SEEDS", "2")))


@cache
def device(kind: str) -> Spoken:
    """Return the configuration and the first reports of a simulated device of this kind on a stable patient."""
    patient = Patient(11, scenario_of("stable"))
    made, clock = build_device(kind, patient), OwnClock(DeviceClock(1_772_000_000_000_000, 0.0), ClockBehaviour())
    reports: list[ScanReport] = []
    while made.due_s <= LIVED_S and len(reports) < REPORTS_MAX:
        due_s = made.due_s
        patient.advance_to(due_s)
        for measured in made.measure(due_s, clock.time_at):
            reports.append(Report.of(measured, made.configuration, len(reports) + 1).scan)
    return Spoken(made.configuration, tuple(reports))


RATE = numeric(2, HEART_RATE, BPM, time_stamp=STAMP)
SATURATION = numeric(4, SPO2, PERCENT, time_stamp=STAMP)
SCANNED = Configuration(
    0x4020,
    (
        RATE,
        SATURATION,
        episodic_scanner(3, (RATE, SATURATION), interval_min_s=0.5, confirmed=True),
        periodic_scanner(5, (RATE, SATURATION), interval_s=1.0),
    ),
)
SCALE = Configuration(0x4021, (numeric(1, HEART_RATE, BPM, value=Attribute.NU_SIMPLE, time_stamp=STAMP),))
FORMS = {"fixed": fixed_report, "variable": variable_report}


def readings(number: int, person: int | None) -> list[Reading]:
    return [
        Reading(2, 60.0 + number, minute(number, number), person=person),
        Reading(4, 90.0 + number % 9, minute(number, number), person=person),
    ]


def form(name: str) -> Spoken:
    """Return a configuration and reports in the named form, such as `episodic grouped, persons`.

    The first word is the kind of the reporting scanner, or `mds` for reports without a scanner.
    """
    who, shape = name.split(",")[0].split()
    persons: tuple[int | None, ...] = (7, 8) if name.endswith("persons") else (None,)
    scanner = {"mds": None, "episodic": 3, "periodic": 5}[who]
    reports: list[ScanReport] = []
    for number in range(0, 2 * REPORTS_MAX, 2):
        several = [readings(number + n, person) for n, person in enumerate(persons)]
        if shape == "grouped":
            assert scanner is not None
            reports.append(grouped_report(SCANNED, scanner, several))
        else:
            listed = [reading for one in several for reading in one]
            reports.append(FORMS[shape](SCANNED, listed, scanner=scanner))
    return Spoken(SCANNED, reports)


EVERY_FORM = [
    f"{who} {shape}{persons}"
    for who, shapes in {
        "mds": ("fixed", "variable"),
        "episodic": ("variable", "fixed", "grouped"),
        "periodic": ("variable", "fixed", "grouped"),
    }.items()
    for shape in shapes
    for persons in ("", ", persons")
]
STORIES: dict[str, Callable[[str], Spoken]] = {**dict.fromkeys(KINDS, device), **dict.fromkeys(EVERY_FORM, form)}


@cache
def perfect(name: str, confirmed: bool = True) -> Story:
    return StoryRun(STORIES[name](name), LinkKind.PERFECT, confirmed=confirmed).tell()


def rows(story: Story) -> list[Row]:
    return [row for report in story.delivered for row in report]


def test_scan_report_samples_cover_all_16_event_types() -> None:
    told = {report.event_type for name in EVERY_FORM for report in form(name).reports}
    assert len(told) == len(EVERY_FORM) == 16


@pytest.mark.parametrize("name", STORIES)
def test_every_report_is_delivered_once_over_a_link_without_loss(name: str) -> None:
    story = perfect(name)
    assert story.links == 1
    assert story.answered == len(STORIES[name](name).reports)
    timed = [row for row in rows(story) if row[-1] is not None]  # without a time two values may be equal
    assert len(timed) == len({repr(row) for row in timed})
    assert rows(story)
    assert not [event for event in story.told if isinstance(event, Deviation | ReportsLost)]


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize(
    ("kind", "confirmed"), [(LinkKind.ONE_OCTET, True), (LinkKind.SLOW, False)], ids=["one-octet", "slow-unconfirmed"]
)
def test_slow_or_fragmenting_link_delivers_the_same_observations_as_a_fast_link(
    name: str, kind: LinkKind, confirmed: bool
) -> None:
    story = StoryRun(STORIES[name](name), kind, confirmed=confirmed).tell()
    assert rows(story) == rows(perfect(name))
    assert story.links == 1
    assert [type(event) for event in story.told] == [type(event) for event in perfect(name, confirmed).told]


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("seed", LOSSY_SEEDS)
def test_reports_are_delivered_in_order_after_reassociation_over_a_lossy_link(name: str, seed: int) -> None:
    spoken = STORIES[name](name)
    story = StoryRun(spoken, LinkKind.LOSSY, seed=f"{name}:{seed}").tell()
    assert story.answered == len(spoken.reports)
    # A repeated report is whole, and the next one: its acknowledgement was lost, and it is resent on reassociation.
    once = [report for at, report in enumerate(story.delivered) if at == 0 or report != story.delivered[at - 1]]
    assert once == perfect(name).delivered
    again = len(story.delivered) - len(once)
    assert again < story.links
    for numbers in story.numbers:
        assert all(after == before + 1 for before, after in pairwise(numbers))
    assert not [event for event in story.told if isinstance(event, ReportsLost)]


def test_simulated_lossy_links_cause_reassociations_and_lost_acknowledgements() -> None:
    stories = [
        StoryRun(STORIES[name](name), LinkKind.LOSSY, seed=f"{name}:{seed}").tell()
        for name in EVERY_FORM
        for seed in LOSSY_SEEDS
    ]
    assert sum(story.links for story in stories) > 3 * len(stories)
    assert any(len(story.delivered) > story.answered for story in stories), "an answer was lost"
