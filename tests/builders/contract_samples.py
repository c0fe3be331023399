"""The samples in the text of the API contract: each documented operation with its curl line and its response.

The text is in the shared material, so a test that uses it is skipped where the material is absent. A sample fixes only
the shape: our response must have the sample's keys, with the same JSON types. The sample's values are illustrations.
"""

import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tests.harness.shared import shared_path

_METHODS = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE)(?:/(?:GET|POST|PUT|PATCH|DELETE))*")
_AUDIENCES = {
    "Zewnętrzni integratorzy": "external-integrators",
    "Administratorzy klienta": "customer-administrators",
    "Partnerzy strategiczni": "strategic-partners",
}
_STABILITIES = {"Stabilne": "stable", "Zatwierdzone na żądanie": "approved-on-request"}


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The request that a curl line sends. `body` is the argument of `-d`; None if there is none."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None

    @property
    def target(self) -> str:
        """Return path and query of the URL."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass(frozen=True, slots=True)
class Sample:
    """One documented operation of the contract. `answer_text` is the sample response as the contract prints it."""

    methods: tuple[str, ...]
    path: str
    title: str
    host_url: str
    auth: str
    audience: str
    stability: str
    request: SampleRequest | None
    answer_text: str

    @property
    def answer(self) -> Any:
        """Return the sample response as a JSON value."""
        return json.loads(self.answer_text.replace("[...]", "[]"))


@cache
def samples() -> tuple[Sample, ...]:
    """Return every operation in the contract's text that has a method and a path; skip the test if the text is
    absent."""
    lines = shared_path("contract/seed.txt").read_text().splitlines()
    starts = [
        number
        for number, line in enumerate(lines[:-1])
        if _METHODS.fullmatch(line) and lines[number + 1].startswith("/")
    ]
    return tuple(_sample(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True))


def sample(method: str, path: str) -> Sample:
    """Return the documented operation with this method and path; the path is written as in the contract."""
    return next(one for one in samples() if method in one.methods and one.path == path)


def _sample(lines: list[str]) -> Sample:
    def after(label: str) -> str:
        return lines[lines.index(label) + 1]

    request_at, response_at = lines.index("Request"), lines.index("Response")
    curl = "\n".join(lines[request_at + 1 : response_at]).strip()
    return Sample(
        methods=tuple(lines[0].split("/")),
        path=lines[1],
        title=lines[3],
        host_url=after("Host"),
        auth=after("Auth"),
        audience=_AUDIENCES[after("Odbiorcy")],
        stability=_STABILITIES[after("Stabilność")],
        request=_request(curl) if curl.startswith("curl") else None,
        answer_text=_first_value("\n".join(lines[response_at + 1 :]).strip()),
    )


def _request(curl: str) -> SampleRequest:
    method, url, headers, body = None, "", {}, None
    words = iter(shlex.split(curl.replace("\\\n", " "))[1:])
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words)
        else:
            url = word
    return SampleRequest(method or ("POST" if body else "GET"), url, headers, body)


def _first_value(text: str) -> str:
    """Return the JSON value at the beginning of the text, without the prose after it. If the text does not begin with
    JSON, return the whole text."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.replace("[...]", "[]   "))
    except json.JSONDecodeError:
        return text
    return text[:end]


def shape_faults(shown: Any, ours: Any, at: str = "$") -> list[str]:
    """Return a message for each place where `ours` lacks a key of the sample `shown`, or has another JSON type."""
    if isinstance(shown, dict):
        if not isinstance(ours, dict):
            return [f"{at}: an object is due"]
        faults = []
        for key, value in shown.items():
            if key == "...":
                continue
            faults += shape_faults(value, ours[key], f"{at}.{key}") if key in ours else [f"{at}.{key}: is missing"]
        return faults
    if isinstance(shown, list):
        if not isinstance(ours, list):
            return [f"{at}: an array is due"]
        if shown and not ours:
            return [f"{at}: is empty, so nothing can be compared"]
        return [fault for number, value in enumerate(ours) for fault in _against_any(shown, value, f"{at}[{number}]")]
    if shown is None or ours is None:
        return []
    if isinstance(shown, bool) or isinstance(ours, bool):
        return [] if type(shown) is type(ours) else [f"{at}: has another type"]
    if isinstance(shown, int | float) and isinstance(ours, int | float):
        return []
    return [] if type(shown) is type(ours) else [f"{at}: has another type"]


def _against_any(shown: list[Any], value: Any, at: str) -> list[str]:
    """Compare the element `value` of our array with the first element of the sample's array. Return a message for each
    difference. `at` is the JSON path of `value`."""
    return shape_faults(shown[0], value, at) if shown else []
