"""Share links and arrivals in the log of a care record."""

from zoneinfo import ZoneInfo

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.check import find_fault
from protocols.epcr.draft import open_conflicts
from protocols.epcr.handover.arrival import arrival, arrival_words, expected_arrival
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.wording import Wording
from protocols.epcr.record import current_record
from protocols.epcr.sharing import added_hash, link_address, open_links, token_hash
from tests.builders.care_changes import ANNA, JAN, NOW_US, change

TOKEN = "abcdefghijklmnopqrstuvwxyz0"
HASH = token_hash(TOKEN)


def share(link: str = "share-1", value: str | None = HASH, *, action: Action = Action.SET) -> FieldChange:
    return change(Annotation.SHARE, value, entry=link, action=action)


def expect(at: str, *, author: str = ANNA, stated_us: int = NOW_US) -> FieldChange:
    return change(Annotation.ARRIVAL, at, entry=f"arrival-{at}-{author}", author=author, gateway_time_us=stated_us)


def words(*changes: FieldChange, now_us: int = NOW_US) -> str:
    text = arrival_words(changes, Wording(Language.ENGLISH, ZoneInfo("UTC"), now_us))
    return text.replace("\u00a0", " ")


def test_token_is_in_the_fragment_of_the_address_and_only_its_hash_in_the_log():
    assert link_address("https://docs.example/", TOKEN) == f"https://docs.example/h#{TOKEN}"
    assert HASH is not None
    assert TOKEN not in HASH
    assert len(HASH) == 64


def test_text_that_is_no_token_has_no_hash():
    for text in ("", TOKEN[:-1], f"{TOKEN}0", f"{TOKEN[:-1]}/", f"{TOKEN[:-1]}\n", "ż" * 27):
        assert token_hash(text) is None


def test_link_is_open_until_it_is_revoked():
    assert list(open_links([share(), share("share-2")])) == ["share-1", "share-2"]
    assert list(open_links([share(), share("share-2"), share(value=None, action=Action.REMOVE)])) == ["share-2"]


def test_malformed_link_is_none():
    for value in ("", "abc", "G" * 64, None):
        assert added_hash(share(value=value)) is None
    assert added_hash(change(Annotation.SHARE, HASH)) is None


def test_client_cannot_write_a_link_or_an_arrival():
    for each in (share(), expect("2027-01-15T08:10:00Z")):
        fault = find_fault(each)
        assert fault is not None
        assert "The gateway writes this key" in fault.text


def test_last_estimate_counts_and_two_authors_are_never_in_conflict():
    log = [expect("2027-01-15T08:10:00Z"), expect("2027-01-15T08:20:00Z", author=JAN)]
    found = expected_arrival(log)
    assert found is not None
    assert found.at_us == NOW_US + 20 * 60_000_000
    assert open_conflicts(current_record(log)) == []


def test_estimate_is_shown_with_its_age():
    log = [expect("2027-01-15T08:10:00Z", stated_us=NOW_US - 180_000_000)]
    assert words(*log) == "Arrival expected 08:10, stated 3 min ago"
    assert words() == ""
    assert words(expect("soon")) == ""


def test_arrival_replaces_the_estimate_and_a_withdrawn_one_is_none():
    log = [expect("2027-01-15T08:10:00Z"), change(), change("times.at_destination", "2027-01-15T08:07:00+00:00")]
    found = arrival(log)
    assert found is not None
    assert (found.at_us, found.changes) == (NOW_US + 7 * 60_000_000, 3)
    assert words(*log) == "Arrived 08:07"
    withdrawn = [*log, change("times.at_destination", None, action=Action.REMOVE, replaces=(log[-1].id,))]
    assert arrival(withdrawn) is None
    assert words(*withdrawn) == "Arrival expected 08:10, stated 0 s ago"
