"""The search finds guides and operations by the beginnings of words, in either spelling of Polish letters."""

import pytest

from cloud.foundation.pages import Language
from cloud.partners.docs.search import QUERY_LENGTH_MAX, RESULTS_MAX, Entry, SearchIndex, words_of
from cloud.partners.docs.site import DocsSite


@pytest.mark.parametrize(
    ("language", "query", "url"),
    [
        (Language.EN, "first call", "/en/docs/guides/first-call"),
        (Language.EN, "idempotency", "/en/docs/guides/idempotency"),
        (Language.EN, "enqueue job", "/en/docs/api-reference/enqueueJob"),
        (Language.EN, "/v1/webhooks test", "/en/docs/api-reference/testWebhook"),
        (Language.EN, "verifyEvidence", "/en/docs/api-reference/verifyEvidenceProvenance"),
        (Language.EN, "ml-dsa", "/en/docs/guides/provenance"),
        (Language.PL, "ponowienia kolejnosc", "/pl/docs/guides/webhooks"),
        (Language.PL, "BŁĘDY", "/pl/docs/guides/errors"),
        (Language.PL, "zadania", "/pl/docs/guides/jobs"),
    ],
)
async def test_query_finds_the_page_among_the_first_results(
    site: DocsSite, language: Language, query: str, url: str
) -> None:
    assert url in [entry.url for entry in (await site.find(language, query))[:5]]


@pytest.mark.parametrize("query", ["", "   ", "<>", "zzzz", "first zzzz"])
async def test_query_without_a_match_finds_nothing(site: DocsSite, query: str) -> None:
    assert await site.find(Language.EN, query) == []


def test_results_are_limited_and_a_title_counts_more_than_a_text() -> None:
    entries = [(Entry("guide", f"Page {number}", f"/{number}", ""), "jobs") for number in range(50)]
    index = SearchIndex([*entries, (Entry("guide", "Jobs", "/jobs", ""), "work")])
    found = index.find("jobs")
    assert found[0].url == "/jobs"
    assert len(found) == RESULTS_MAX


def test_identifier_in_camel_case_has_its_parts_as_words() -> None:
    assert words_of("enqueueJob") == ["enqueue", "job", "enqueuejob"]
    assert words_of("Łódź ß") == ["lodz", "s"]


async def test_long_query_is_cut(site: DocsSite) -> None:
    assert await site.find(Language.EN, "jobs " * QUERY_LENGTH_MAX) != []
