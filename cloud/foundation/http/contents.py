"""Read a request body as the model of its route: first the media type is checked, then the syntax, then the values."""

from typing import Any

from multidict import CIMultiDictProxy
from pydantic import BaseModel, ValidationError

from cloud.foundation.http.errors import BodyMalformed, MediaTypeUnsupported, QueryMalformed
from cloud.foundation.http.query import mistakes_of, read_pairs, summary
from cloud.foundation.http.route import BodyKind, Route
from cloud.foundation.http.strict_json import read_json


def read_body(raw: bytes, headers: CIMultiDictProxy[str], route: Route) -> tuple[dict[str, Any] | None, Any]:
    """Return the body as the document that was sent and as an instance of the route's model. For an empty body, if the
    route allows it, and for a body that the handler reads itself, the document and the instance are None. Raises
    `MediaTypeUnsupported`, `BodyMalformed`."""
    if not raw and route.body_optional:
        return None, None  # some clients send a Content-Type without a body: it is not checked
    _check_media_type(headers.get("Content-Type"), headers.get("Content-Encoding"), route.body_kind)
    model = route.body
    if model is None or route.body_as_sent:
        return None, None
    document = read_json(raw) if route.body_kind is BodyKind.JSON else _form(raw)
    return document, _validated(model, document, route.body_kind)


def _check_media_type(given: str | None, encoding: str | None, wanted: BodyKind) -> None:
    # The usual form first: nearly every request has it.
    if given != wanted.value:
        kind, _, parameters = (given or "").partition(";")
        if kind.strip().lower() != wanted.value:
            raise MediaTypeUnsupported(f"(Send {wanted.value}.)")
        name, _, value = parameters.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8"):
            raise MediaTypeUnsupported("(Send it in UTF-8.)")
    if encoding is not None and encoding.lower() != "identity":
        raise MediaTypeUnsupported("(Compressed bodies are not read.)")


def _form(raw: bytes) -> dict[str, Any]:
    try:
        return dict(read_pairs(raw.decode("ascii")))
    except UnicodeDecodeError:
        raise BodyMalformed("(A form is percent-encoded ASCII.)") from None
    except QueryMalformed as error:
        raise BodyMalformed(error.detail) from None


def _validated(model: type[BaseModel], document: dict[str, Any], kind: BodyKind) -> BaseModel:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = mistakes_of(error, model, pointers=kind is BodyKind.JSON)
        raise BodyMalformed(summary(error, found), mistakes=found) from None
