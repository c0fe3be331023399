"""Every regular expression of the packages is listed with the source of its input, and takes linear time on input from
outside.

Linear time is decided from the structure (`ambiguity`). It is then tested: for each loop of an expression, texts of n,
2n and 4n letters that repeat the loop are made, and the ways in which a matcher can read them are counted.
"""

import re

import pytest

from tests.tidy.ambiguity import count_ways, decide, find_super_linear, pump
from tests.tidy.expressions import expressions
from tests.tidy.sources import python_files

OWN_TEXT = {
    "cloud/partners/discovery/contract.py:_LINE_ENDS": "our OpenAPI document",
    "cloud/partners/discovery/contract.py:_NUMBER_OF_YAML_12": "our OpenAPI document",
    "cloud/partners/discovery/openapi.py:_PARAMETER": "our route templates",
    "cloud/partners/discovery/openapi.py:re.findall": "our route templates",
    "cloud/foundation/http/data_schema.py:_ID": "our schema ids",
    "cloud/foundation/http/query.py:re.findall": "the values of an enumeration, as pydantic lists them",
    "cloud/foundation/http/route.py:_PATH": "our route templates",
    "cloud/foundation/http/table.py:_PARAMETER": "our route templates",
    "cloud/partners/administration/admin_pages.py:_PARAMETER": "our route templates",
    "cloud/partners/docs/guides.py:re.fullmatch": "our guides",
    "cloud/partners/docs/guides.py:re.sub": "our guides and the OpenAPI document",
    "cloud/partners/docs/samples.py:_PATH_PARAMETER": "our route templates",
    "gateway/buffer/statements.py:_NAME": "the package's own SQL file",
    "gateway/buffer/statements.py:re.sub": "the package's own SQL file",
    "sdk/python/build_backend/argus_sdk_build.py:_IMPORT": "our own modules",
}
"""Expressions that never receive text from outside the program."""

OPERATORS_TEXT = {
    "cloud/clinical/nemsis/agency.py:_STATE": "a command's option",
    "sdk/python/src/argus_sdk/downloads.py:_NUMBER": "the names in a folder of downloads",
    "sdk/python/src/argus_sdk/evidence.py:_CONTENT_HASH": "hashes that a program expects",
    "cloud/foundation/settings.py:re.fullmatch": "the settings file",
    "cloud/foundation/tracing/settings.py:_NAME": "the operator's file of headers",
    "cloud/partners/graphql/bundles.py:_NAME": "a command's argument",
    "cloud/vehicles/fleet/cluster_url.py:_HOST": "the settings file",
    "gateway/security/identity.py:_KEY_NAME": "our own identity.json",
    "gateway/settings.py:_LABEL": "the settings file",
    "gateway/settings.py:re.fullmatch": "the settings file",
    "gateway/settings.py:re.match": "the settings file",
    "gateway/cli/observations.py:re.fullmatch": "a command's option",
    "simulators/demo/cli.py:_PAIR": "a command's option",
    "cloud/foundation/db/sqlite_failures.py:_CONSTRAINT": "SQLite's error messages",
    "cloud/foundation/db/sqlite_integrity.py:_INDEX": "SQLite's findings",
    "cloud/foundation/db/sqlite_integrity.py:_TREE": "SQLite's findings",
}

UNTRUSTED = {
    "protocols/epcr/sharing.py:_HASH": "field changes of vehicles",
    "protocols/epcr/sharing.py:_TOKEN": "requests for share links",
    "cloud/partners/docs/search.py:_CAMEL_CASE": "queries of the search",
    "cloud/partners/docs/search.py:_WORD": "queries of the search",
    "cloud/partners/telephony/carriers.py:_ACCOUNT_NUMBER": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_ACCOUNT_SID": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_ADDRESS": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_API_KEY": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_AUTH_ID": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_HEX_TOKEN": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_HOST": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_PORT": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_PRINTABLE": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_PROTOCOL": "GraphQL arguments",
    "cloud/partners/telephony/carriers.py:_TRUNK": "GraphQL arguments",
    "cloud/partners/telephony/numbers.py:_E164": "GraphQL arguments",
    "cloud/partners/telephony/sip.py:_PARAMETER": "responses of SIP gateways",
    "cloud/partners/telephony/sip.py:_STATUS_LINE": "responses of SIP gateways",
    "cloud/partners/administration/app_pages.py:_CLIENT_ID": "form fields",
    "cloud/partners/administration/schedule_pages.py:_ID": "form fields",
    "cloud/partners/administration/schemas.py:_BACK": "form fields",
    "cloud/partners/administration/schemas.py:_TRACE": "queries",
    "cloud/access/apps/redirects.py:_CHARACTERS": "redirect addresses",
    "cloud/access/apps/redirects.py:_NAME": "redirect addresses",
    "cloud/clinical/devices/service.py:_HEX": "JSON bodies",
    "cloud/foundation/egress/target.py:_LABEL": "webhook addresses",
    "cloud/foundation/egress/target.py:_NUMBER": "webhook addresses",
    "cloud/foundation/egress/target.py:_UNSEEN": "webhook addresses",
    "cloud/foundation/egress/target.py:re.split": "webhook addresses",
    "cloud/foundation/http/idempotency.py:_KEY": "HTTP heads",
    "cloud/foundation/http/query.py:_CONTROL": "queries and forms",
    "cloud/foundation/http/query.py:_WHOLE": "queries",
    "cloud/foundation/http/strict_json.py:_SUSPECT": "JSON bodies",
    "cloud/foundation/http/table.py:DOTTED": "request targets",
    "cloud/foundation/http/table.py:IDENTIFIER": "request targets",
    "cloud/foundation/trace.py:_TRACEPARENT": "HTTP heads",
    "cloud/partners/tracing/handlers.py:_TRACE_ID": "request targets",
    "cloud/access/identity/schemas.py:_NEXT": "form fields",
    "cloud/access/identity/second_factor.py:_SECRET": "form fields",
    "cloud/foundation/ids.py:SHAPE": "ids in requests, tokens and forms",
    "cloud/foundation/objects/ranges.py:_RANGE": "HTTP heads",
    "cloud/foundation/objects/store.py:_FILE_NAME": "names that the cloud gives to downloads",
    "cloud/foundation/objects/store.py:_NAME": "names that the cloud makes from ids",
    "cloud/vehicles/ingest/opening.py:_TRACEPARENT": "uplink envelopes",
    "cloud/access/oauth/authorization.py:CHALLENGE": "queries",
    "cloud/access/oauth/authorization.py:_LOOPBACK": "redirect addresses",
    "cloud/access/oauth/redemption.py:VERIFIER": "form fields",
    "cloud/clinical/observations/vocabulary.py:_WELL_FORMED": "JSON bodies",
    "cloud/partners/webhooks/redaction.py:_NAMED": "answers of webhook receivers",
    "cloud/partners/webhooks/redaction.py:_SECRETS": "answers of webhook receivers",
    "cloud/partners/webhooks/redaction.py:_UNPRINTABLE": "answers of webhook receivers",
    "cloud/partners/webhooks/schedule.py:re.fullmatch": "Retry-After of webhook receivers",
    "gateway/buffer/spare_store.py:re.compile": "rows of a damaged store",
    "gateway/crew/session.py:_LIVE": "cookies of the crew page",
    "gateway/crew/session.py:_MARK": "cookies of the crew page",
    "gateway/crew/session.py:_MEMBER": "cookies of the crew page",
    "gateway/crew/tablet_queue.py:_SALT": "request targets",
    "gateway/security/crew_pin.py:re.fullmatch": "crew page forms",
    "gateway/sessions/gatt/pairing.py:_ADDRESS": "control socket and Bluetooth addresses",
    "gateway/transports/capture.py:_ATTRIBUTE": "capture files",
    "protocols/provenance/key_period.py:_RFC_3339": "transcripts and documents of keys",
    "protocols/fhir/resource_line.py:_REFERENCE": "entries of bundles, with texts of devices",
    "protocols/framing/apdu_stream.py:_REQUEST": "bytes of agents",
    **dict.fromkeys(
        (
            "cloud/clinical/nemsis/identity.py:_IMPORTED",
            "protocols/nemsis/content.py:_NEVER_XML",
            "protocols/nemsis/forms.py:_ALLERGEN",
            "protocols/nemsis/forms.py:_CAUSE",
            "protocols/nemsis/forms.py:_CONCEPT_PATTERN",
            "protocols/nemsis/forms.py:_DISEASE",
            "protocols/nemsis/forms.py:_FIVE_DIGITS",
            "protocols/nemsis/forms.py:_MEDICATION",
            "protocols/nemsis/forms.py:_NINE_DIGITS",
            "protocols/nemsis/forms.py:_NUMBER",
            "protocols/nemsis/forms.py:_PAST_CONDITION",
            "protocols/nemsis/forms.py:_PHONE",
            "protocols/nemsis/forms.py:_PLACE",
            "protocols/nemsis/forms.py:_POSITION",
            "protocols/nemsis/forms.py:_POSTCODE_PATTERN",
            "protocols/nemsis/forms.py:_TWO_DIGITS",
        ),
        "values and ids of care records",
    ),
    "protocols/ucum.py:_TOKEN": "units in observations",
    "protocols/ucum.py:re.sub": "units in observations",
    "protocols/uplink/device_events.py:_PAIR": "events of gateways",
    "protocols/uplink/device_events.py:_SYSTEM_ID": "events of gateways",
    "protocols/uplink/topics.py:IDENTIFIER": "uplink topics",
    "simulators/replay/wfdb_header.py:_COUNT": "WFDB headers",
    "simulators/replay/wfdb_header.py:_FORMAT": "WFDB headers",
    "simulators/replay/wfdb_header.py:_FREQUENCY": "WFDB headers",
    "simulators/replay/wfdb_header.py:_GAIN": "WFDB headers",
    "simulators/replay/wfdb_header.py:_NAME": "WFDB headers",
    "protocols/sanctions/dates.py:_OFFSET": "sanctions lists",
}
"""Map each expression that receives text from a peer to the origin of the text."""

LETTERS = 512
# Twice the text may cost twice the work, and a little more for the part before the loop.
DOUBLED_MAX = 2.1


def test_every_regular_expression_is_listed_with_the_origin_of_its_input():
    listed = [*OWN_TEXT, *OPERATORS_TEXT, *UNTRUSTED]
    assert len(listed) == len(set(listed))
    assert {one.place for one in expressions()} == set(listed)


@pytest.mark.finding("security-1")
@pytest.mark.finding("security-4")
def test_regular_expressions_on_external_input_take_linear_time():
    slow = {
        one.place: why
        for one in expressions()
        if one.place not in OWN_TEXT
        for method in sorted(one.methods)
        if (why := find_super_linear(one.pattern, one.flags, method)) is not None
    }
    assert slow == {}


# Parametrized by place: every worker collects this file, but need not search the syntax trees for that.
@pytest.mark.parametrize("place", UNTRUSTED)
def test_work_of_a_regular_expression_grows_at_most_in_proportion_to_the_text(place: str):
    found = [one for one in expressions() if one.place == place]
    assert found
    for expression, method in ((one, method) for one in found for method in sorted(one.methods)):
        automaton = decide(expression.pattern, expression.flags, method)
        for short, double, fourfold in zip(*(pump(automaton, LETTERS * times) for times in (1, 2, 4)), strict=True):
            work = [count_ways(automaton, text) for text in (short, double, fourfold)]
            assert work[1] <= DOUBLED_MAX * work[0], (method, short[:40])
            assert work[2] <= DOUBLED_MAX * work[1], (method, short[:40])


@pytest.mark.parametrize(
    ("pattern", "flags", "method"),
    [
        (rb"(?im)^host:[ \t]*([^\r\n]*?)[ \t]*\r?$", 0, "search"),  # of security-1
        (r'"(?:[^"\\]|\\.)*"', re.DOTALL, "sub"),  # of security-4
        (r"(a*)*b", 0, "match"),
        (r"(x+x+)+y", 0, "match"),
        (r"(a?b?)*c", 0, "match"),
        (r"a*a*b", 0, "match"),
        (r".*x.*y", 0, "match"),
        (r"a+b", 0, "search"),
        (r"\{[^}]*\}", 0, "sub"),
        (r"\s+$", 0, "search"),
        (r"a[^c]*(?:c|\Z)", 0, "sub"),
        (r"(?i)a+A*b", 0, "match"),
        (r"(ab|a[b]c)*d(?:ab|abc|cab)*e", 0, "match"),
    ],
)
def test_known_super_linear_regular_expression_is_found(pattern: str | bytes, flags: int, method: str):
    assert find_super_linear(pattern, flags, method) is not None


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"a+b", "match"),
        (r"[a-z]+-[a-z]+", "fullmatch"),
        (r"[0-9a-f]{32}", "search"),
        (r"\{[^{}]*\}", "sub"),
        (r"(?m)^-- ([a-z0-9_]+) --$", "finditer"),
        (r"[A-Za-z0-9]+", "findall"),
        (r"#.*", "sub"),
    ],
)
def test_known_linear_regular_expression_is_accepted(pattern: str, method: str):
    assert find_super_linear(pattern, 0, method) is None


@pytest.mark.parametrize(
    ("pattern", "why"), [(r"(a+)\1", "back reference"), (r"(?:a(?!b*c))*", "look-around"), (r"(?=a*b)a", "look-around")]
)
def test_linear_time_check_rejects_a_regular_expression_that_no_automaton_can_represent(pattern: str, why: str):
    with pytest.raises(NotImplementedError, match=why):
        find_super_linear(pattern, 0, "match")


def test_pydantic_patterns_use_the_linear_time_rust_engine():
    # Pydantic's own engine (Rust's regex) guarantees linear time; Python's can be chosen instead, and must not be.
    chosen = [path for path in python_files() if "python-" + "re" in path.read_text()]
    assert chosen == []
