"""JSON form of a device's history. The store seals it, because the bytes of a deviation may be a patient's values."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.sessions.devices.history import (
    LINKS_MAX,
    OBJECT_ATTRIBUTES_MAX,
    STORE_FULL,
    ClockSetting,
    DeviceHistory,
    SeenClock,
    SeenDeviation,
    SeenLink,
    SettingOutcome,
)
from protocols.bounded_map import BoundedMap
from protocols.device_time import TimeKind

_PLAIN = (
    "system_id", "first_us", "last_us", "attributes_dropped", "identified_us", "config_id", "learned", "agreed_us",
    "associations", "reports", "observations", "lost", "ends", "deviations_dropped",
)  # fmt: skip
_ADDED = (
    "indications", "window_us_max", "window_us_p99",
    "memory_entries", "memory_observations", "memory_segments", "memory_refused",
)  # fmt: skip
"""Numbers that histories of earlier releases do not have."""


def encode_history(report: DeviceHistory) -> bytes:
    """Encode a history for the store, with bytes as hex. The result is below 256 KiB, by the limits in `history`."""
    return orjson.dumps(
        {
            "form": 1,
            **{name: getattr(report, name) for name in (*_PLAIN, *_ADDED)},
            "refused": sum(report.refusals.values()),
            "refusals": report.refusals,
            "refused_claims": report.refused_claims,
            "refused_claim_link": report.refused_claim_link,
            "attributes": report.attributes,
            "object_attributes": [(*key, value) for key, value in report.object_attributes.items()],
            "links": dict(report.links),
            "clocks": {kind.value: clock for kind, clock in report.clocks.items()},
            "settings": report.settings,
            "deviations": report.deviations,
        },
        default=bytes.hex,
    )


def decode_history(octets: bytes) -> DeviceHistory | None:
    """Decode a device's history. Return None if the bytes are not a history in a known format."""
    try:
        body = orjson.loads(octets)
        added = body.get("object_attributes", ())
        return DeviceHistory(
            **{name: body[name] for name in _PLAIN},
            **{name: body.get(name, 0) for name in _ADDED},
            refusals=_refusals(body),
            refused_claims=body.get("refused_claims", {}),
            refused_claim_link=body.get("refused_claim_link", ""),
            attributes=tuple((attribute_id, bytes.fromhex(value)) for attribute_id, value in body["attributes"]),
            object_attributes=BoundedMap(
                OBJECT_ATTRIBUTES_MAX, (((handle, number), bytes.fromhex(value)) for handle, number, value in added)
            ),
            links=BoundedMap(LINKS_MAX, ((name, SeenLink(**link)) for name, link in body["links"].items())),
            clocks={TimeKind(kind): SeenClock(**clock) for kind, clock in body["clocks"].items()},
            settings=[ClockSetting(**{**one, "outcome": SettingOutcome(one["outcome"])}) for one in body["settings"]],
            deviations=[SeenDeviation(**{**one, "octets": bytes.fromhex(one["octets"])}) for one in body["deviations"]],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _refusals(body: Mapping[str, Any]) -> dict[str, int]:
    """Return a map of reasons to the number of reports that were refused for each reason. Earlier releases stored one
    number only: the reports that were refused because the store was full."""
    before = {STORE_FULL: body["refused"]} if body.get("refused") else {}
    return dict(body.get("refusals", before))
