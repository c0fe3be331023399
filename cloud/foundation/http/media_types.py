"""Content negotiation: which of two media types a client prefers (RFC 9110 §12.5.1)."""

from collections.abc import Iterable

RANGES_MAX = 32
"""Media ranges of an Accept header that are examined. Browsers send about eight."""


def prefers(accepts: Iterable[str], wanted: str, default: str) -> bool:
    """Return whether the Accept headers prefer the media type `wanted` to `default`. Without a preference it is
    False."""
    ranges = [part for text in accepts for part in text.split(",")][:RANGES_MAX]
    weights = dict(filter(None, map(_weight, ranges)))
    return _quality(weights, wanted) > _quality(weights, default)


def _quality(weights: dict[str, float], media_type: str) -> float:
    """Return the weight of the most specific range that includes a media type; 0 if none does."""
    kind = media_type.partition("/")[0]
    return next((weights[each] for each in (media_type, f"{kind}/*", "*/*") if each in weights), 0.0)


def _weight(media_range: str) -> tuple[str, float] | None:
    """Return a media range without its parameters, and its weight; None for a malformed weight."""
    name, *parameters = (part.strip().lower() for part in media_range.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return None
            return (name, weight) if 0 <= weight <= 1 else None
    return name, 1.0
