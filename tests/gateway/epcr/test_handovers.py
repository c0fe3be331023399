"""Hand-overs of a vehicle: whose values they have, which ECG, and the same words in page, PDF and bundle."""

import base64
import html
import json
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cloud.clinical.fhir.validation import find_faults
from gateway.epcr.handover.bundle import handover_bundle
from gateway.epcr.handover.handovers import EncounterUnknown, Handover, Handovers
from gateway.epcr.handover.pdf import document_of
from gateway.epcr.handover.source import BufferSource
from protocols.clock_anchor import NO_ANCHORS
from protocols.device_description import DeviceDescription
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.handover.ecg import ecg_drawing, ecg_of
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import handover_page
from protocols.epcr.handover.readings import READINGS_MAX
from protocols.epcr.projection import DRAWN_MAX
from protocols.observation_record import ObservationRecord
from tests.builders.buffer_observations import OXIMETER, numerics, section
from tests.builders.buffer_store import new_store, opened
from tests.builders.care_changes import ENCOUNTER, change
from tests.builders.fhir_encounters import KEY, observed
from tests.builders.handovers import (
    DRAWN,
    MINUTE_US,
    NOW_US,
    OPENED_US,
    ListedSource,
    at,
    chest_pain,
    handovers_of,
    signatures,
    twelve_leads,
)
from tests.builders.handovers import numerics as monitored
from tests.harness.fhir_receivers import schema_faults
from tests.harness.moved_clock import MovedClock


async def made(
    changes: list[FieldChange],
    observations: list[ObservationRecord],
    *,
    language: Language = Language.ENGLISH,
    order: Order = Order.IMIST_AMBO,
) -> Handover:
    return await handovers_of(changes, observations).make(ENCOUNTER, language, order)


def saturations(handover: Handover) -> list[str]:
    return [each.numbers[0] for each in handover.readings if each.device is not None]


def resources(bundle: bytes, kind: str) -> list[dict[str, Any]]:
    entries = json.loads(bundle)["entry"]
    return [one["resource"] for one in entries if one["resource"]["resourceType"] == kind]


def plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


@pytest.mark.parametrize("language", Language)
async def test_check_23_page_pdf_and_bundle_have_the_same_words(language: Language):
    handover = await made(chest_pain(), [*monitored(5), *twelve_leads()], language=language)
    page, document = plain(handover_page(handover.shown)), document_of(handover)
    (composition,) = resources(handover_bundle(handover), "Composition")
    narrative = plain(composition["text"]["div"])
    printed = {fact for _, facts in document["sections"] for fact in facts}
    facts = [fact for item in handover.content.items for fact in item.facts]
    assert len(facts) >= 12
    for fact in facts:
        assert plain(fact) in page
        assert plain(fact) in narrative
        assert fact in printed
    for sentence in handover.content.missing:
        assert sentence in page
        assert sentence in narrative
        assert sentence in {text for _, text, _ in document["rows"]}


async def test_bundle_has_no_fault_by_the_schema_and_the_resource_classes_and_its_references_resolve():
    handover = await made([*chest_pain(), *signatures()], [*monitored(5), *twelve_leads(seconds=2)])
    described = DeviceDescription(manufacturer="Synthetic Medical", model="M1", firmware_revision="1.4")
    bundle = handover_bundle(handover, lambda _: described)
    assert schema_faults(bundle) == []
    assert find_faults(bundle) == []
    document = json.loads(bundle)
    known = {entry["fullUrl"] for entry in document["entry"]}
    assert set(re.findall(rb'"reference":"([^"]+)"', bundle)) <= {name.encode() for name in known}
    (composition,) = resources(bundle, "Composition")
    assert composition["status"] == "preliminary"
    (patient,) = resources(bundle, "Patient")
    assert patient["name"] == [{"family": "Żółć", "given": ["Łucja"]}]
    (device,) = [one for one in resources(bundle, "Device") if one.get("manufacturer") == "Synthetic Medical"]
    assert device["version"][0]["value"] == "1.4"


async def test_signatures_with_name_role_and_time_are_on_the_page_in_the_pdf_and_in_the_bundle():
    handover = await made([*chest_pain(), *signatures()], [])
    captions = [
        "Łucja Żółć · patient · refusal of transport · 01:59",
        "Nowak · receiver in the hospital · transfer of care · 02:09",
        "witness · refused to sign · 02:10",
    ]
    page = handover_page(handover.shown)
    (composition,) = resources(handover_bundle(handover), "Composition")
    for caption in captions:
        assert caption in plain(page)
        assert caption in plain(composition["text"]["div"])
    assert page.count("<figure><svg") == 2
    printed = document_of(handover)["signatures"]
    assert [caption for caption, _ in printed] == captions
    assert [drawing and len(drawing["lines"]) for _, drawing in printed] == [4, 4, None]
    assert printed[0][1]["lines"][0]["points"][:2] == ((2.0, 15.0), (6.0, 4.0))
    first, second = resources(handover_bundle(handover), "DocumentReference")
    assert [one["author"] for one in (first, second)] == [[{"display": "Łucja Żółć"}], [{"display": "Nowak"}]]
    attachment = first["content"][0]["attachment"]
    assert (attachment["contentType"], attachment["creation"]) == ("image/svg+xml", at("01:59"))
    assert f'd="{DRAWN}"'.encode() in base64.b64decode(attachment["data"])
    related = {one["reference"] for one in first["context"]["related"]}
    listed = {one["reference"] for section in composition["section"] for one in section.get("entry", ())}
    assert len(related) >= 4
    assert related <= listed


async def test_drawn_signatures_are_limited_and_only_lines_are_drawn():
    entries = [f"s{number:02}" for number in range(DRAWN_MAX + 2)]
    many = [change("signatures.signer", "4512019", entry=entry, gateway_time_us=OPENED_US) for entry in entries]
    many += [change(Annotation.SIGNATURE, DRAWN, entry=entry, gateway_time_us=OPENED_US) for entry in entries]
    many.append(change(Annotation.SIGNATURE, 'M1 1L2 2"/><script>', entry="s00", gateway_time_us=OPENED_US))
    handover = await made(many, [])
    assert len(handover.content.signatures) == len(entries)
    assert len([one for one in handover.content.signatures if one.strokes]) == DRAWN_MAX
    assert "<script>" not in handover_page(handover.shown)


async def test_lines_beside_the_field_of_a_signature_are_drawn_at_its_edge():
    signed = [change("signatures.signer", "4512015", entry="s1", gateway_time_us=OPENED_US)]
    signed.append(change(Annotation.SIGNATURE, "M10 10L999 999", entry="s1", gateway_time_us=OPENED_US))
    ((_, drawing),) = document_of(await made(signed, []))["signatures"]
    assert drawing["lines"][0]["points"] == ((1.0, 1.0), (60.0, 20.0))


async def test_bundle_of_a_call_of_hours_has_a_limited_number_of_values():
    handover = await made(
        chest_pain(), [observed(float(n % 101), at_us=OPENED_US + n * 700_000, index=n) for n in range(3_000)]
    )
    assert len(handover.observations) < 100
    assert len(handover.observations) <= READINGS_MAX


async def test_values_before_the_call_are_of_another_patient():
    early = observed(61.0, at_us=OPENED_US - 30 * MINUTE_US)
    own = observed(97.0, at_us=NOW_US - MINUTE_US, index=1)
    assert saturations(await made([change("patient.age", "63", gateway_time_us=OPENED_US)], [early, own])) == ["97"]


async def test_values_from_the_stated_begin_of_the_mission_are_of_the_patient():
    stated = change("times.at_patient", at("01:20"), gateway_time_us=OPENED_US)
    early = observed(93.0, at_us=OPENED_US - 5 * MINUTE_US)
    assert saturations(await made([stated], [early])) == ["93"]


@pytest.mark.parametrize(("transfer", "shown"), [(None, []), ("01:18", ["93"]), ("01:22", [])])
async def test_values_from_before_the_transfer_of_the_earlier_patient_are_of_that_patient(
    transfer: str | None, shown: list[str]
):
    changes = [
        change("patient.age", "20", encounter="enc_early", gateway_time_us=OPENED_US - 50 * MINUTE_US),
        change("times.unit_notified", at("01:10"), gateway_time_us=OPENED_US),
    ]
    if transfer is not None:
        changes.append(change("times.transfer_of_care", at(transfer), encounter="enc_early", gateway_time_us=OPENED_US))
    early = observed(93.0, at_us=OPENED_US - 5 * MINUTE_US)
    assert saturations(await made(changes, [early])) == shown


async def test_values_after_the_next_encounter_was_opened_are_of_its_patient():
    changes = [
        change("patient.age", "63", gateway_time_us=OPENED_US),
        change("patient.age", "20", encounter="enc_next", gateway_time_us=OPENED_US + 20 * MINUTE_US),
    ]
    values = [
        observed(90.0, at_us=OPENED_US + 10 * MINUTE_US),
        observed(99.0, at_us=OPENED_US + 30 * MINUTE_US, index=1),
    ]
    assert saturations(await made(changes, values)) == ["90"]


async def test_values_long_after_the_transfer_of_care_are_not_the_patients():
    changes = [
        change("patient.age", "63", gateway_time_us=OPENED_US),
        change("times.transfer_of_care", at("01:50"), gateway_time_us=OPENED_US),
    ]
    handover = await made(
        changes, [observed(90.0, at_us=NOW_US - 19 * MINUTE_US), observed(50.0, at_us=NOW_US, index=1)]
    )
    assert saturations(handover) == ["90"]
    assert handover.transferred_at == "01:50"


async def test_unknown_encounter_has_no_hand_over():
    with pytest.raises(EncounterUnknown):
        await handovers_of(chest_pain()).make("enc_other", Language.ENGLISH, Order.IMIST_AMBO)


async def test_ecg_is_that_of_the_recorded_twelve_lead_event():
    recorded = [
        change("devices.time", at("01:43"), entry="d1", gateway_time_us=OPENED_US),
        change("devices.event", "4103001", entry="d1", gateway_time_us=OPENED_US),
    ]
    recorded_us = NOW_US - 27 * MINUTE_US
    blocks = [*twelve_leads(end_us=recorded_us + 12_000_000), *twelve_leads(end_us=NOW_US)]
    handover = await made(recorded, blocks)
    assert handover.ecg is not None
    assert handover.ecg.is_twelve_lead
    assert abs(handover.ecg.began_us - recorded_us) <= 1_000_000


def test_gap_in_the_ecg_is_a_gap_in_its_line():
    blocks = [each for each in twelve_leads(["II"]) if each.index // 12 != 6]
    ecg = ecg_of(blocks, until_us=NOW_US)
    assert ecg is not None
    drawing = ecg_drawing(ecg, "ECG", "", "")
    traces = [line for line in drawing.lines if line.stroke == "ink" and len(line.points) > 10]
    assert len(traces) == 2
    assert traces[1].points[0][0] - traces[0].points[-1][0] == pytest.approx(25.0, abs=0.2)


def test_ecg_with_few_leads_has_a_row_for_each():
    ecg = ecg_of(twelve_leads(["II", "V1"]), until_us=NOW_US)
    assert ecg is not None
    assert not ecg.is_twelve_lead
    labels = [label.text for label in ecg_drawing(ecg, "ECG", "", "").labels]
    assert [text for text in labels if text in ("II", "V1")] == ["II", "V1"]
    assert ecg_of([observed(97.0)], until_us=NOW_US) is None


async def test_hand_over_is_read_from_the_store(tmp_path: Path):
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        now_us = clock.wall_us()
        await buffer.append_sections([section(numerics(4, first=93.0))])
        await buffer.append_changes(
            [
                change("patient.age", "63", gateway_time_us=now_us - 1_000_000),
                change("patient.age", "20", encounter="enc_next", gateway_time_us=now_us + 10_000_000),
            ]
        )
        handovers = Handovers(
            BufferSource(buffer, lambda: NO_ANCHORS),
            tenant="ten_test",
            key=KEY,
            now_us=lambda: now_us + 2_000_000,
            zone=ZoneInfo("UTC"),
        )
        spans = await handovers.encounters()
        assert [(each.encounter, each.changes) for each in spans] == [("enc_next", 1), (ENCOUNTER, 1)]
        handover = await handovers.make(ENCOUNTER, Language.ENGLISH, Order.IMIST_AMBO)
    assert [(each.numbers, each.device) for each in handover.readings] == [
        *[(("93",), OXIMETER.model), (("94",), OXIMETER.model)],
        *[(("95",), OXIMETER.model), (("96",), OXIMETER.model)],
    ]
    assert [each.value for each in handover.observations] == [93.0, 94.0, 95.0, 96.0]


async def test_hand_over_of_a_part_of_a_record_says_so_on_the_page_in_the_pdf_and_in_the_bundle():
    handovers = handovers_of(source=ListedSource(chest_pain(), lost=1))
    handover = await handovers.make(ENCOUNTER, Language.ENGLISH, Order.IMIST_AMBO)
    state = "Only a part of the report · Preliminary, not signed"
    assert handover.content.state == state
    assert state in plain(handover_page(handover.shown))
    assert state in document_of(handover)["state"]
    (composition,) = resources(handover_bundle(handover), "Composition")
    assert state in plain(composition["text"]["div"])
    assert (await made(chest_pain(), [])).content.state == "Preliminary, not signed"


async def test_hand_over_of_a_log_whose_beginning_has_left_the_store_is_marked_as_a_part(tmp_path: Path):
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        whole = change("patient.age", "63", encounter="enc_whole", gateway_time_us=clock.wall_us())
        await buffer.append_changes([whole], {"enc_whole": 1})
        rest = change("patient.age", "20", encounter="enc_rest", gateway_time_us=clock.wall_us())
        await buffer.append_changes([rest], {"enc_rest": 2})
        source = BufferSource(buffer, lambda: NO_ANCHORS)
        handovers = Handovers(source, tenant="ten_test", key=KEY, now_us=clock.wall_us, zone=ZoneInfo("UTC"))
        states = [
            (await handovers.make(encounter, Language.ENGLISH, Order.IMIST_AMBO)).content.state
            for encounter in ("enc_whole", "enc_rest")
        ]
    assert states == ["Preliminary, not signed", "Only a part of the report · Preliminary, not signed"]


async def test_bundle_of_a_part_of_a_sealed_record_is_preliminary_with_its_reason():
    changes = [
        *chest_pain(),
        change("times.transfer_of_care", at("02:05"), gateway_time_us=OPENED_US),
        change("record.seal", "{}", gateway_time_us=OPENED_US),
    ]
    handover = await handovers_of(source=ListedSource(changes, lost=1)).make(
        ENCOUNTER, Language.ENGLISH, Order.IMIST_AMBO
    )
    bundle = handover_bundle(handover)
    (composition,) = resources(bundle, "Composition")
    assert composition["status"] == "preliminary"
    section = composition["section"][-1]
    assert section["emptyReason"]["coding"][0]["code"] == "unavailable"
    assert "no longer has all entries" in plain(section["text"]["div"])
    assert schema_faults(bundle) == []
    assert find_faults(bundle) == []


async def test_bundle_of_a_sealed_record_with_an_addendum_is_amended_with_its_reason():
    changes = [
        *chest_pain(),
        change("times.transfer_of_care", at("02:05"), gateway_time_us=OPENED_US),
        change("record.seal", "{}", gateway_time_us=OPENED_US),
        change(Annotation.ADDENDUM, "shared with the ward", entry="a1", gateway_time_us=OPENED_US),
        change(Annotation.SHARE, "0" * 64, entry="share-1", gateway_time_us=OPENED_US),
    ]
    (composition,) = resources(handover_bundle(await made(changes, [])), "Composition")
    assert composition["status"] == "final"
    changes += [
        change(Annotation.ADDENDUM, "dose <corrected>", entry="a2", gateway_time_us=OPENED_US),
        change("medications.dose", "150", entry="m1", gateway_time_us=OPENED_US),
    ]
    bundle = handover_bundle(await made(changes, []))
    (composition,) = resources(bundle, "Composition")
    assert composition["status"] == "amended"
    assert plain(composition["section"][-1]["text"]["div"]) == "dose <corrected>"
    assert schema_faults(bundle) == []
    assert find_faults(bundle) == []


async def test_hand_over_of_a_sealed_record_is_signed_and_its_bundle_final():
    changes = [
        *chest_pain(),
        change("times.transfer_of_care", at("02:05"), gateway_time_us=OPENED_US),
        change("record.seal", "{}", gateway_time_us=OPENED_US),
    ]
    handover = await made(changes, [])
    assert handover.content.state == "Signed"
    (composition,) = resources(handover_bundle(handover), "Composition")
    assert composition["status"] == "final"
