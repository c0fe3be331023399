"""Samples of a request in curl, Python and TypeScript, each made by one function from an operation.

A sample is a text with slots: parts that a reader's values replace. The page marks them, so that its script replaces
only these and composes nothing itself. A value that the reader must supply is a name in angle brackets, such as
`<access-token>`.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cloud.partners.docs.reference import Body, Operation

FORM = "application/x-www-form-urlencoded"
_PATH_PARAMETER = re.compile(r"\{([A-Za-z_]+)\}")
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a sample that the reader's value replaces: `url`, `token` or `body`."""

    name: str
    text: str


Sample = Sequence[str | Slot]


@dataclass(frozen=True, slots=True)
class Language:
    """A language of samples. `id` is also the class of the code block in a guide."""

    id: str
    name: str
    write: Callable[[Operation], Sample]


def url_of(operation: Operation) -> str:
    """Return the address, with a name in angle brackets for each path parameter and each required query parameter."""
    path = _PATH_PARAMETER.sub(r"<\1>", operation.path)
    query = "&".join(f"{one.name}=<{one.name}>" for one in operation.parameters if _is_needed_in_query(one))
    return f"{operation.bases[0]}{path}{'?' if query else ''}{query}"


def text_of(sample: Sample) -> str:
    """Return a sample as plain text."""
    return "".join(part.text if isinstance(part, Slot) else part for part in sample)


def curl_sample(operation: Operation) -> Sample:
    parts: list[str | Slot] = ["curl "]
    body = _shown_body(operation)
    # curl's own choice is a GET, or a POST with a body.
    if operation.method != ("GET" if body is None else "POST"):
        parts.append(f"-X {operation.method} ")
    parts += ['"', Slot("url", url_of(operation)), '"']
    for name, value in _headers(operation):
        parts += [f' \\\n  -H "{name}: ', *value, '"']
    if body is not None and body.media_type == FORM:
        parts += [" \\\n  -d '", urlencode(body.example, safe="<>:"), "'"]
    elif body is not None:
        parts += [" \\\n  -d '", Slot("body", _json(body.example).replace("'", "'\\''")), "'"]
    return [*parts, "\n"]


def python_sample(operation: Operation) -> Sample:
    parts: list[str | Slot] = ["import httpx\n\nresponse = httpx.request(\n"]
    parts += [f'{_INDENT}"{operation.method}",\n{_INDENT}"', Slot("url", url_of(operation)), '",\n']
    headers = [header for header in _headers(operation) if header[0] != "Content-Type"]
    if headers:
        parts.append(f"{_INDENT}headers={{\n")
        for name, value in headers:
            parts += [f'{_INDENT * 2}"{name}": "', *value, '",\n']
        parts.append(f"{_INDENT}}},\n")
    body = _shown_body(operation)
    if body is not None and body.media_type == FORM:
        parts.append(f"{_INDENT}data={python_literal(body.example, _INDENT)},\n")
    elif body is not None:
        parts += [f"{_INDENT}json=", Slot("body", python_literal(body.example, _INDENT)), ",\n"]
    parts.append(")\n")
    if _redirects(operation):
        return [*parts, 'print(response.status_code, response.headers.get("Location"))\n']
    parts.append("response.raise_for_status()\n")
    return [*parts, f"print({_python_result(operation)})\n"]


def typescript_sample(operation: Operation) -> Sample:
    parts: list[str | Slot] = ['const response = await fetch("', Slot("url", url_of(operation)), '"']
    options: list[str | Slot] = []
    if operation.method != "GET":
        options.append(f'  method: "{operation.method}",\n')
    if _redirects(operation):
        options.append('  redirect: "manual",\n')
    body = _shown_body(operation)
    headers = [header for header in _headers(operation) if body is None or body.media_type != FORM]
    if headers:
        options.append("  headers: {\n")
        for name, value in headers:
            options += [f'    "{name}": "', *value, '",\n']
        options.append("  },\n")
    if body is not None and body.media_type == FORM:
        options.append(f"  body: new URLSearchParams({_json(body.example, '  ')}),\n")
    elif body is not None:
        options += ["  body: JSON.stringify(", Slot("body", _json(body.example, "  ")), "),\n"]
    parts += [", {\n", *options, "}"] if options else []
    parts.append(");\n")
    if _redirects(operation):
        return [*parts, 'console.log(response.status, response.headers.get("Location"));\n']
    parts.append("if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);\n")
    return [*parts, f"console.log({_typescript_result(operation)});\n"]


LANGUAGES = (
    Language("curl", "curl", curl_sample),
    Language("python", "Python", python_sample),
    Language("typescript", "TypeScript", typescript_sample),
)


def python_literal(value: Any, margin: str = "") -> str:
    """Return a JSON value as a Python expression. Lines after the first begin with `margin`."""
    inner = margin + _INDENT
    if isinstance(value, dict) and value:
        rows = [f"{inner}{_quoted(key)}: {python_literal(each, inner)},\n" for key, each in value.items()]
        return f"{{\n{''.join(rows)}{margin}}}"
    if isinstance(value, list) and value:
        return f"[{', '.join(python_literal(each, inner) for each in value)}]"
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _json(value: Any, margin: str = "") -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", f"\n{margin}")


def _is_needed_in_query(parameter: Any) -> bool:
    return bool(parameter.place == "query" and parameter.is_required)


def _shown_body(operation: Operation) -> Body | None:
    """Return the body of the sample; None if the document has no example, and the request none then."""
    return operation.body if operation.body is not None and operation.body.example is not None else None


def _headers(operation: Operation) -> list[tuple[str, Sample]]:
    headers: list[tuple[str, Sample]] = []
    if operation.needs_token:
        headers.append(("Authorization", ("Bearer ", Slot("token", "<access-token>"))))
    if any(one.name == "Idempotency-Key" for one in operation.parameters):
        headers.append(("Idempotency-Key", ("<idempotency-key>",)))
    body = _shown_body(operation)
    if body is not None:
        headers.append(("Content-Type", (body.media_type,)))
    return headers


def _redirects(operation: Operation) -> bool:
    """Return whether a browser should open the address, so that the response is a redirect to a page."""
    return any(reply.status.startswith("3") and reply.status != "304" for reply in operation.replies)


def _is_json(operation: Operation) -> bool:
    """Return whether each success has a body of JSON."""
    found = [reply for reply in operation.replies if reply.status.startswith("2")]
    return all(reply.media_types and "json" in reply.media_types[0] for reply in found)


def _has_body(operation: Operation) -> bool:
    return any(reply.media_types for reply in operation.replies)


def _python_result(operation: Operation) -> str:
    return (
        "response.json()"
        if _is_json(operation)
        else "response.text"
        if _has_body(operation)
        else "response.status_code"
    )


def _typescript_result(operation: Operation) -> str:
    if _is_json(operation):
        return "await response.json()"
    return "await response.text()" if _has_body(operation) else "response.status"
