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
TOKEN = "<access-token>"  # noqa: S105  a placeholder
HEADERS = {"Idempotency-Key": "<idempotency-key>", "If-Match": "<etag>"}
"""Headers that a sample sends where the operation takes them, and what is shown for their values."""
OPTIONAL_HEADERS = ("X-Tenant-ID", "If-None-Match")
"""Headers that a sample sends where the operation takes them and the reader gives a value."""
_PATH_PARAMETER = re.compile(r"\{([A-Za-z_]+)\}")
_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a sample that the reader's values replace: `base` (the address of the host), `target` (path and query),
    `path`, `query` and `options` (members of an object), `token`, `body`, `form` (the fields of a form), the name of a
    header, `headers` (those of `OPTIONAL_HEADERS`, each place in its form: `inline-headers` for an argument on the same
    line, `init` for the options of `fetch`), or `outcome` (what is done with the response)."""

    name: str
    text: str


Sample = Sequence[str | Slot]


@dataclass(frozen=True, slots=True)
class Language:
    """A language of samples. `id` is also the class of the code block in a guide."""

    id: str
    name: str
    write: Callable[[Operation], Sample]


def target_of(operation: Operation) -> str:
    """Return path and query, with a name in angle brackets for each path parameter and required query parameter."""
    path = _PATH_PARAMETER.sub(r"<\1>", operation.path)
    query = "&".join(f"{one.name}=<{one.name}>" for one in operation.parameters if _is_needed_in_query(one))
    return f"{path}{'?' if query else ''}{query}"


def _address(operation: Operation) -> Sample:
    return (Slot("base", operation.bases[0]), Slot("target", target_of(operation)))


def text_of(sample: Sample) -> str:
    """Return a sample as plain text."""
    return "".join(part.text if isinstance(part, Slot) else part for part in sample)


def curl_sample(operation: Operation) -> Sample:
    parts: list[str | Slot] = ["curl "]
    body = _shown_body(operation)
    # curl's own choice is a GET, or a POST with a body.
    if operation.method != ("GET" if body is None else "POST"):
        parts.append(f"-X {operation.method} ")
    parts += ['"', *_address(operation), '"']
    for name, value in _headers(operation):
        parts += [f' \\\n  -H "{name}: ', *value, '"']
    parts.append(Slot("headers", ""))
    if body is not None and body.media_type == FORM:
        parts += [" \\\n  -d '", Slot("form", urlencode(body.example, safe="<>:")), "'"]
    elif body is not None:
        parts += [" \\\n  -d '", Slot("body", _json(body.example).replace("'", "'\\''")), "'"]
    return [*parts, "\n"]


def python_sample(operation: Operation) -> Sample:
    """Return a sample with our SDK, or with httpx where no token is needed."""
    if not operation.needs_token:
        return _python_without_token(operation)
    parts: list[str | Slot] = ["from argus_sdk.client import AccessToken, Argus\n\nargus = Argus(\n"]
    for name, url in (("auth_url", operation.auth_url), ("api_url", operation.api_url)):
        parts += [f'{_INDENT}{name}="', _url(operation, url), '",\n']
    parts += [f'{_INDENT}tokens=AccessToken("', Slot("token", TOKEN), '"),\n)\n']
    body, target, sent = _shown_body(operation), Slot("target", target_of(operation)), _sent_headers(operation)
    if body is None and not sent:
        parts += [f'result = argus.request("{operation.method}", "', target, '"', Slot("inline-headers", "")]
        return [*parts, ")\nprint(result)\n"]
    parts += [f'result = argus.request(\n{_INDENT}"{operation.method}",\n{_INDENT}"', target, '",']
    parts += [Slot("headers", ""), "\n"]
    if "Idempotency-Key" in sent:
        parts += [f"{_INDENT}idempotency_key=", _header_literal("Idempotency-Key"), ",\n"]
    if "If-Match" in sent:
        parts += [f'{_INDENT}headers={{"If-Match": ', _header_literal("If-Match"), "},\n"]
    if body is not None:
        parts += [f"{_INDENT}body=", Slot("body", python_literal(body.example, _INDENT)), ",\n"]
    return [*parts, ")\nprint(result)\n"]


def _python_without_token(operation: Operation) -> Sample:
    parts: list[str | Slot] = ["import httpx\n\nresponse = httpx.request(\n"]
    parts += [f'{_INDENT}"{operation.method}",\n{_INDENT}"', *_address(operation), '",']
    parts += [Slot("headers", ""), "\n"]
    body = _shown_body(operation)
    if body is not None:
        parts += [f"{_INDENT}data=", Slot("form", python_literal(body.example, _INDENT)), ",\n"]
    parts.append(")\n")
    if _redirects(operation):
        return [*parts, 'print(response.status_code, response.headers.get("Location"))\n']
    shown = "response.json()" if _is_json(operation) else "response.text"
    return [*parts, Slot("outcome", f"response.raise_for_status()\nprint({shown})"), "\n"]


def typescript_sample(operation: Operation) -> Sample:
    """Return a sample with our SDK, or with `fetch` where no token is needed."""
    if not operation.needs_token:
        return _typescript_without_token(operation)
    parts: list[str | Slot] = ['import { Argus } from "argus-sdk";\n\nconst argus = new Argus({\n']
    for name, url in (("authUrl", operation.auth_url), ("apiUrl", operation.api_url)):
        parts += [f'  {name}: "', _url(operation, url), '",\n']
    parts += ['  credentials: { token: "', Slot("token", TOKEN), '" },\n});\n']
    parts.append(f'const result = await argus.request("{operation.method}", "{operation.path}"')
    names, body, sent = _PATH_PARAMETER.findall(operation.path), _shown_body(operation), _sent_headers(operation)
    if not names and body is None and not sent:
        return [*parts, Slot("options", ""), ");\nconsole.log(result);\n"]
    parts.append(", {")
    if names:
        values = ", ".join(f'{name}: "<{name}>"' for name in names)
        parts += ["\n  path: { ", Slot("path", values), " },"]
    parts += [Slot("query", ""), Slot("headers", "")]
    if "Idempotency-Key" in sent:
        parts += ["\n  idempotencyKey: ", _header_literal("Idempotency-Key"), ","]
    if "If-Match" in sent:
        parts += ['\n  headers: { "If-Match": ', _header_literal("If-Match"), " },"]
    if body is not None:
        parts += ["\n  body: ", Slot("body", _json(body.example, "  ")), ","]
    return [*parts, "\n});\nconsole.log(result);\n"]


def _typescript_without_token(operation: Operation) -> Sample:
    parts: list[str | Slot] = ['const response = await fetch("', *_address(operation), '"']
    body = _shown_body(operation)
    if body is not None:
        fields = Slot("form", _json(body.example, "  "))
        parts += [', {\n  method: "POST",\n  body: new URLSearchParams(', fields, "),\n}"]
    elif _redirects(operation):
        parts.append(', { redirect: "manual" }')
    else:
        parts.append(Slot("init", ""))
    parts.append(");\n")
    if _redirects(operation):
        return [*parts, 'console.log(response.status, response.headers.get("Location"));\n']
    shown = "json" if _is_json(operation) else "text"
    check = "if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);\n"
    return [*parts, Slot("outcome", f"{check}console.log(await response.{shown}());"), "\n"]


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


def _sent_headers(operation: Operation) -> set[str]:
    """Return the headers that the operation takes and a sample sends."""
    return {one.name for one in operation.parameters if one.place == "header"} & HEADERS.keys()


def _header_literal(name: str) -> Slot:
    """Return the value of a header as Python and TypeScript write it."""
    return Slot(name, _quoted(HEADERS[name]))


def _url(operation: Operation, url: str) -> str | Slot:
    """Return the address of a host; the reader may replace that of the operation."""
    return Slot("base", url) if url == operation.bases[0] else url


def _headers(operation: Operation) -> list[tuple[str, Sample]]:
    headers: list[tuple[str, Sample]] = []
    if operation.needs_token:
        headers.append(("Authorization", ("Bearer ", Slot("token", TOKEN))))
    headers += [(name, (Slot(name, HEADERS[name]),)) for name in sorted(_sent_headers(operation))]
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
