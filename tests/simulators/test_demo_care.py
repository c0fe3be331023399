"""The demo's care is what a crew may write: every change passes the catalogue's check, and each is written once."""

from datetime import UTC, datetime

import pytest

from gateway.epcr.requests import changes_of
from protocols.epcr.catalogue import find_element
from protocols.epcr.handover.content import handover_content
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.readings import readings_of_record
from protocols.epcr.handover.wording import Wording
from protocols.epcr.projection import treatment_record
from protocols.epcr.record import current_record
from simulators.demo.care import request_of
from simulators.demo.care_plan import CARE
from simulators.scenarios import SCENARIOS
from tests.builders.fhir_encounters import KEY

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_care_of_each_scenario_is_permitted_by_the_catalogue(scenario: str):
    changes = [
        change
        for entry in CARE[scenario]
        for change in changes_of(request_of("enc_demo", entry, NOW), gateway_time_us=0)
    ]
    record = current_record(changes)
    assert len({change.id for change in changes}) == len(changes)
    assert len(record.fields) == len(changes)
    assert not any(field.contradicting for field in record.fields)
    groups = {element.group for field in record.fields if (element := find_element(field.name.key))}
    assert {"vitals", "exam", "procedures", "medications"} <= groups


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hand_over_has_words_for_each_code_of_the_care(scenario: str):
    changes = [
        change
        for entry in CARE[scenario]
        for change in changes_of(request_of("enc_demo", entry, NOW), gateway_time_us=0)
    ]
    record = treatment_record(current_record(changes), key=KEY, encounter="enc_demo")
    wording = Wording(Language.ENGLISH, UTC, 0)
    readings = readings_of_record(record, wording)
    content = handover_content(record, readings, wording, order=Order.IMIST_AMBO, signed=False)
    facts = [fact for item in (*content.items, *content.further) for fact in item.facts]
    # A code without words is stated as "code", a space without a line break, and the code.
    assert [fact for fact in facts if "code\u00a0" in fact] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_care_is_in_the_order_of_time_and_begins_within_half_a_minute(scenario: str):
    times = [entry.at_s for entry in CARE[scenario]]
    assert times == sorted(times)
    assert {entry.group for entry in CARE[scenario] if entry.at_s < 30} >= {
        "vitals",
        "exam",
        "procedures",
        "medications",
    }


def test_ids_of_changes_are_the_same_in_each_run():
    entry = CARE["stable"][-1]
    again = request_of("enc_demo", entry, datetime(2027, 1, 1, tzinfo=UTC))
    assert [each["id"] for each in request_of("enc_demo", entry, NOW)["changes"]] == [
        each["id"] for each in again["changes"]
    ]
