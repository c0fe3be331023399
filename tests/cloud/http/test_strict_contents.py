"""A body or query that could be read in two ways is refused (contract A-003).

The error names the field and does not contain its value.
"""

from contextlib import suppress

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import BaseModel, ConfigDict

from cloud.foundation.http import BodyKind, Limit, Query
from cloud.foundation.http.contents import read_body
from cloud.foundation.http.errors import BodyMalformed, MediaTypeUnsupported, QueryMalformed
from cloud.foundation.http.query import read_query
from cloud.foundation.http.strict_json import read_json
from tests.builders.http_surface import route
from tests.harness.work import CountedBytes, assert_linear, work_of

SIZE = 4_000


class Listing(Query):
    vehicle_id: str | None = None
    limit: Limit = 50


class Thing(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    name: str
    count: int = 0


@pytest.mark.contract("A-003", "S-146", "S-156")
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b'"text"',
        b"null",
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e309}',
        b'{"a":123456789012345678901234567890}',
        b'{"a":9007199254740992}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":["\\u0000"]}',
        b'{"a":"\xff"}',
        b"{'a':1}",
        b'{"a":1}x',
        b'{"a":01}',
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a":' * 100_000,
    ],
)
def test_malformed_or_ambiguous_json_is_refused(octets: bytes) -> None:
    with pytest.raises(BodyMalformed):
        read_json(octets)


@pytest.mark.contract("A-003")
def test_unambiguous_json_is_accepted_and_decoded_exactly() -> None:
    assert read_json(b'{"a":[1,-2.5,true,null,"\\u00e9\\ud83d\\ude91"],"b":9007199254740991}') == {
        "a": [1, -2.5, True, None, "é🚑"],
        "b": 9007199254740991,
    }
    assert read_json(b'{"a":"\\\\u0000 and \\\\ud800"}') == {"a": "\\u0000 and \\ud800"}
    assert read_json(b'{"a":' + b"[" * 63 + b"]" * 63 + b"}")
    assert read_json(b'{"a":"' + b"[" * 1000 + b'"}')


@pytest.mark.finding("security-4")
@pytest.mark.parametrize(
    ("before", "pumped", "after"),
    [
        (b"[" * 65 + b'"', b'\\"', b""),
        (b'{"a":[' + b"{}," * 65 + b'"', b"\\\\", b'"]}'),
        (b'{"a":', b"[", b""),
        (b'{"a":[0', b",[]", b"]}"),
        (b'{"a":"\\u0000', b"[", b'"}'),
        (b'{"a":"', b"\\u00e9", b'"}'),
    ],
)
def test_json_body_is_checked_in_one_pass_over_its_bytes(before: bytes, pumped: bytes, after: bytes) -> None:
    def work(size: int) -> int:
        body = CountedBytes(before + pumped * size + after)

        def read() -> None:
            with suppress(BodyMalformed):
                read_json(body)

        return work_of(read)

    assert_linear([work(SIZE), work(2 * SIZE), work(4 * SIZE)])


def headers(media_type: str | None, encoding: str | None = None) -> CIMultiDictProxy[str]:
    given = {"Content-Type": media_type, "Content-Encoding": encoding}
    return CIMultiDictProxy(CIMultiDict({name: value for name, value in given.items() if value is not None}))


@pytest.mark.contract("A-003")
def test_request_body_with_an_unaccepted_media_type_is_refused() -> None:
    row = route(method="POST", body=Thing)
    for media_type in ("application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'):
        assert read_body(b'{"name":"x"}', headers(media_type), row)[1] == Thing(name="x")
    for media_type in (None, "text/plain", "application/jsonp", "application/json; charset=latin-1"):
        with pytest.raises(MediaTypeUnsupported):
            read_body(b'{"name":"x"}', headers(media_type), row)
    with pytest.raises(MediaTypeUnsupported):
        read_body(b"{}", headers("application/json", "gzip"), row)


def test_absent_body_is_accepted_where_the_route_allows_it() -> None:
    row = route(method="POST", body=Thing, body_optional=True)
    assert read_body(b"", headers(None), row) == (None, None)
    with pytest.raises(BodyMalformed):
        read_body(b"", headers("application/json"), route(method="POST", body=Thing))


@pytest.mark.contract("S-155")
def test_error_for_an_invalid_body_names_the_field_and_does_not_contain_its_value() -> None:
    row = route(method="POST", body=Thing)
    with pytest.raises(BodyMalformed) as caught:
        read_body(b'{"count":"SYNTHETIC-SECRET","organization_id":"x"}', headers("application/json"), row)
    said = caught.value.sentence
    assert "name: is required" in said
    assert "organization_id: there is no such field" in said
    assert "count: " in said
    assert "SYNTHETIC-SECRET" not in said


def test_body_with_more_than_20000_values_is_refused_before_it_is_parsed() -> None:
    for many in (
        b'{"a":[' + b"0," * 100_000 + b"0]}",
        b'{"a":[' + b"{}," * 100_000 + b"0]}",
        b"{" + b",".join(b'"%x":0' % number for number in range(100_000)) + b"}",
        b'{"a":"\\\\","b":[' + b"0," * 20_000 + b"0]}",
    ):
        with pytest.raises(BodyMalformed, match="more than 20000 values"):
            read_json(many)
    for few in (
        b'{"a":[' + b"0," * 10_000 + b"0]}",
        b'{"a":"' + b"one, two, [three], {four}, " * 10_000 + b'"}',
        b'{"a":"' + b'\\",\\\\,' * 20_000 + b'"}',
    ):
        assert read_json(few)


def test_error_for_a_body_with_thousands_of_wrong_values_states_their_number_without_a_list() -> None:
    class Names(BaseModel):
        names: list[str]

    row = route(method="POST", body=Names)
    with pytest.raises(BodyMalformed, match="10000 values are wrong") as caught:
        read_body(b'{"names":[' + b"0," * 9_999 + b"0]}", headers("application/json"), row)
    assert len(caught.value.sentence) < 300


def test_form_with_repeated_names_or_invalid_characters_is_refused() -> None:
    row = route(method="POST", body=Thing, body_kind=BodyKind.FORM)
    kind = headers("application/x-www-form-urlencoded")
    assert read_body(b"name=a+b%C3%A9", kind, row)[1] == Thing(name="a bé")
    for octets in (b"name=a&name=b", b"name=%ff", b"name=\xc3\xa9", b"name=%00"):
        with pytest.raises(BodyMalformed):
            read_body(octets, kind, row)


@pytest.mark.contract("S-141", "A-082")
def test_page_size_in_a_query_is_a_positive_integer_capped_at_200() -> None:
    for text, limit in (("1", 1), ("200", 200), ("201", 200), ("1000000000", 200)):
        found = read_query(f"limit={text}", Listing)
        assert found is not None
        assert found.limit == limit
    for text in ("0", "-1", "abc", "1.5", "1.0", "", "1e9", "%31%00", "١"):
        with pytest.raises(QueryMalformed):
            read_query(f"limit={text}", Listing)


def test_query_with_unknown_repeated_or_malformed_parameters_is_refused() -> None:
    assert read_query("", Listing) == Listing()
    assert read_query("vehicle_id=AMB%2042", Listing) == Listing(vehicle_id="AMB 42")
    for text in ("other=1", "vehicle_id=a&vehicle_id=b", "vehicle_id=%ff", "&".join(f"a{n}=1" for n in range(40))):
        with pytest.raises(QueryMalformed):
            read_query(text, Listing)
    with pytest.raises(QueryMalformed, match="format"):
        read_query("format=fhir", None)
