"""The content of a hand-over: which facts are stated, in which order and words, and within which length."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from protocols.epcr.change import Action, FieldChange
from protocols.epcr.element import NEMSIS_NEGATIVES
from protocols.epcr.handover.content import WORDS_MAX, HandoverContent, handover_content
from protocols.epcr.handover.labels import Item
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.readings import (
    CHANNELS_MAX,
    INTERVAL_US,
    READINGS_MAX,
    ThinnedObservations,
    readings_of_devices,
    readings_of_record,
)
from protocols.epcr.handover.wording import Wording
from protocols.epcr.projection import treatment_record
from protocols.epcr.record import current_record
from protocols.epcr.value_sets import Text
from protocols.observation_record import ObservationRecord
from tests.builders.care_changes import ANNA, ENCOUNTER, JAN, change
from tests.builders.fhir_encounters import KEY, PRESSURE, generated_encounter, observed
from tests.builders.handovers import MINUTE_US, NOW_US, at, chest_pain, trauma


def wording(language: Language = Language.ENGLISH, now_us: int = NOW_US) -> Wording:
    return Wording(language, ZoneInfo("Europe/Warsaw"), now_us)


def content(
    changes: Sequence[FieldChange],
    observations: Sequence[Sequence[ObservationRecord]] = (),
    *,
    language: Language = Language.ENGLISH,
    order: Order = Order.IMIST_AMBO,
    signed: bool = False,
) -> HandoverContent:
    visible = treatment_record(current_record(changes), key=KEY, encounter=ENCOUNTER)
    words = wording(language)
    readings = [*readings_of_record(visible, words), *readings_of_devices(observations)]
    readings.sort(key=lambda each: each.at_us)
    return handover_content(visible, readings, words, order=order, signed=signed)


def facts(found: HandoverContent, item: Item) -> tuple[str, ...]:
    return next(each.facts for each in (*found.items, *found.further) if each.item is item)


def plain(texts: Sequence[str]) -> list[str]:
    return [text.replace("\u00a0", " ") for text in texts]


def test_items_stand_in_the_order_of_imist_ambo():
    letters = [item.item for item in content(chest_pain()).items]
    assert letters == [
        *(Item.IDENTITY, Item.MECHANISM, Item.INJURIES, Item.SIGNS, Item.TREATMENT),
        *(Item.ALLERGIES, Item.MEDICINES, Item.BACKGROUND, Item.OTHER),
    ]


def test_items_of_atmist_stand_in_its_order_and_the_others_follow():
    found = content(trauma(), order=Order.ATMIST)
    assert [item.item for item in found.items] == [
        *(Item.IDENTITY, Item.TIME, Item.MECHANISM, Item.INJURIES, Item.SIGNS, Item.TREATMENT),
    ]
    assert [item.item for item in found.further] == [Item.ALLERGIES, Item.MEDICINES, Item.BACKGROUND, Item.OTHER]
    assert plain(facts(found, Item.TIME)) == ["since 01:20", "at patient 01:38"]


def test_check_5_item_without_a_fact_is_named():
    found = content([change("patient.age", "63"), change("history.drug_allergies", not_recorded="not_recorded")])
    assert not found.items[0].is_missing
    assert found.missing == (
        *("Complaint not recorded", "Findings not recorded", "Signs not recorded", "Treatment not recorded"),
        *("Allergies not recorded", "Medicines not recorded", "Background not recorded", "Nothing else recorded"),
    )


def test_none_known_is_a_fact_and_not_a_missing_item():
    found = content([change("history.drug_allergies", None, negative="no_known_drug_allergy")])
    assert facts(found, Item.ALLERGIES) == ("none known",)
    assert "Allergies not recorded" not in found.missing


def test_check_6_first_screen_has_at_most_120_words_and_answers_five_questions():
    found = content(chest_pain())
    assert found.first_screen_words <= WORDS_MAX
    brief = {item.item: " · ".join(plain(item.brief)) for item in found.items}
    assert "Łucja Żółć · female · 63 years" in brief[Item.IDENTITY]
    assert "chest pain (R07.4)" in brief[Item.MECHANISM]
    assert "since 01:20" in brief[Item.MECHANISM]
    assert "SpO₂ 88→96 %" in brief[Item.SIGNS]
    assert "aspirin 300 mg oral 01:45" in brief[Item.TREATMENT]


@pytest.mark.parametrize("seed", range(40))
def test_first_screen_of_any_record_is_short_in_each_language_and_order(seed: int):
    record = generated_encounter(seed, observations=0, changes=400, identified=True).record
    for language in Language:
        words = wording(language, NOW_US)
        readings = readings_of_record(record, words)
        for order in Order:
            found = handover_content(record, readings, words, order=order, signed=False)
            assert found.first_screen_words <= WORDS_MAX, found.items


def test_page_states_that_it_is_preliminary_and_the_age_of_its_newest_value():
    found = content([*chest_pain()], [[observed(97.0, at_us=NOW_US - 12_000_000)]])
    assert (found.state, found.newest.replace("\u00a0", " ")) == ("Preliminary, not signed", "Newest value 12 s ago")
    assert content(chest_pain(), signed=True).state == "Signed"


def test_void_entries_are_no_facts():
    changes = [
        change("medications.drug", "703", entry="m1"),
        change("medications.drug", "1191", entry="m2"),
        change("medications", "entered twice", entry="m1", action=Action.VOID),
    ]
    assert facts(content(changes), Item.TREATMENT) == ("aspirin",)


def test_two_answers_of_a_field_are_both_stated():
    changes = [change("patient.age", "63", author=ANNA), change("patient.age", "36", author=JAN)]
    assert facts(content(changes), Item.IDENTITY) == ("36 or 63 (two answers) years",)


def test_drug_that_was_not_given_is_stated_with_the_reason():
    changes = [change("medications.drug", "1191", entry="m1", negative="allergy")]
    assert facts(content(changes), Item.TREATMENT) == ("aspirin: allergy",)


def test_equal_doses_are_one_brief_fact_with_their_number_and_last_time():
    changes = [
        each
        for number, time in enumerate(("01:50", "01:54", "01:58"))
        for each in (
            change("medications.time", at(time), entry=f"m{number}"),
            change("medications.drug", "317361", entry=f"m{number}"),
            change("medications.dose", "1.0", entry=f"m{number}"),
            change("medications.dose_unit", "3706021", entry=f"m{number}"),
            change("medications.route", "9927023", entry=f"m{number}"),
        )
    ]
    found = content(changes)
    treatment = next(item for item in found.items if item.item is Item.TREATMENT)
    assert plain(treatment.brief) == ["adrenaline 1.0 mg IV ×3 01:58"]
    assert len(treatment.facts) == 3
    assert plain(content(changes, language=Language.POLISH).items[4].brief) == ["adrenalina 1,0 mg i.v. ×3 01:58"]


def test_code_without_words_is_stated_as_its_code():
    changes = [change("exam.skin", "3504099", entry="e1"), change("medications.drug", "999999", entry="m1")]
    found = content(changes)
    assert plain(facts(found, Item.INJURIES)) == ["skin: code 3504099"]
    assert plain(facts(found, Item.TREATMENT)) == ["RxNorm 999999"]


def test_characters_that_turn_a_text_or_control_a_document_are_left_out():
    assert wording().value(Text(40), "No\u202ewak\u2066 \x01dr\x1b\nŻak") == "Nowak dr\nŻak"


def test_time_of_another_day_is_stated_with_its_date():
    found = content([change("situation.onset", "2027-01-14T23:50:00+01:00")])
    assert facts(found, Item.MECHANISM) == ("since 2027-01-14 23:50",)


def test_signs_state_the_first_the_worst_and_the_last_reading_with_time_and_source():
    series = [
        observed(float(value), at_us=NOW_US - (9 - place) * MINUTE_US) for place, value in enumerate((91, 84, 93, 96))
    ]
    (text,) = plain(facts(content([], [series]), Item.SIGNS))
    assert text == ("SpO₂: first 91 % 02:01 (Model), lowest 84 % 02:02 (Model), last 96 % 02:04 (Model)")


def test_doubtful_reading_is_marked_and_an_invalid_one_is_none():
    doubted = observed(91.0, at_us=NOW_US - MINUTE_US, status=0x4000)
    invalid = observed(12.0, at_us=NOW_US, status=0x8000)
    (text,) = plain(facts(content([], [[doubted, invalid]]), Item.SIGNS))
    assert text == "SpO₂: last 91 % 02:09 (Model, doubtful)"


def test_pressure_of_a_device_and_of_the_crew_are_worded_alike():
    device = observed(
        (120.0, 80.0, 93.0), type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=PRESSURE, at_us=NOW_US
    )
    crew = [
        change("vitals.time", at("02:00")),
        change("vitals.systolic", "120"),
        change("vitals.diastolic", "80"),
    ]
    (text,) = plain(facts(content(crew, [[device]]), Item.SIGNS))
    assert text == "BP: first 120/80 mmHg 02:00 (crew), last 120/80 mmHg 02:10 (Model)"


def test_readings_of_one_sign_come_from_one_channel():
    pulse = [
        observed(70.0, type_="MDC_PULS_OXIM_PULS_RATE", unit="MDC_DIM_BEAT_PER_MIN", at_us=NOW_US - n) for n in (2, 1)
    ]
    heart = [observed(72.0, type_="MDC_ECG_HEART_RATE", unit="MDC_DIM_BEAT_PER_MIN", at_us=NOW_US)]
    assert [each.numbers for each in readings_of_devices([pulse, heart])] == [("72",)]


def test_loose_sensor_of_some_seconds_is_no_extreme():
    thinned = ThinnedObservations()
    for second in range(60):
        thinned.add(observed(40.0 if second in (10, 11, 12) else 97.0, at_us=NOW_US + second * 1_000_000))
    (kept,) = thinned.channels()
    assert [each.value for each in kept] == [97.0] * len(kept)


def test_thinned_observations_of_a_call_of_hours_are_bounded_and_keep_the_ends():
    thinned = ThinnedObservations()
    count = READINGS_MAX + 500
    for number in range(count):
        thinned.add(observed(float(number % 101), at_us=NOW_US + number * INTERVAL_US))
    (kept,) = thinned.channels()
    assert len(kept) <= READINGS_MAX + 2
    assert kept[0].observed_at_us == NOW_US
    assert kept[-1].observed_at_us == NOW_US + (count - 1) * INTERVAL_US
    assert thinned.interval_us == 2 * INTERVAL_US


def test_channels_that_a_faulty_device_invents_are_ignored_beyond_the_limit():
    thinned = ThinnedObservations()
    for number in range(CHANNELS_MAX + 3):
        thinned.add(observed(97.0, system_id=f"{number:016x}"))
    assert len(thinned.channels()) == CHANNELS_MAX
    assert thinned.ignored == 3


def test_each_negative_and_each_item_has_words_in_each_language():
    for language in Language:
        words = wording(language)
        found = content([], language=language)
        assert all(item.missing for item in found.items)
        assert words.age(NOW_US - 3 * 3_600_000_000).replace("\u00a0", " ") == "3 h 0 min"
    assert len(NEMSIS_NEGATIVES) == 15


def test_time_of_a_faulty_clock_is_worded():
    words = Wording(Language.ENGLISH, UTC, NOW_US)
    assert words.time(-(1 << 62)) == "1970-01-01 00:00"
    assert words.time(1 << 62).startswith("9999")
    assert datetime.fromtimestamp(NOW_US / 1_000_000, UTC).year == 2027
