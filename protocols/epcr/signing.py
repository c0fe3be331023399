"""State of the signature of a report, from its logs: whether each is sealed, and what was added after its seal.

A vehicle seals each log by itself: that of the encounter, and that of a report which the crew opened before the call
arrived. A log in which no person wrote, such as that of a call which another report continues, needs no seal.

This does not check a seal. `protocols.epcr.seal` does, with the key of the gateway.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocols.epcr.annotations import ANNOTATIONS, Annotation
from protocols.epcr.change import DISPATCH_AUTHOR, FieldChange
from protocols.epcr.draft import addendum_reasons, is_sealed
from protocols.epcr.seal import GATEWAY_AUTHOR, read_seal


@dataclass(frozen=True, slots=True)
class ReportSigning:
    """State of the signature of a report. `signed`: each log in which a person wrote is sealed, and there is one.
    `partial`: changes that were sealed are missing. `addenda`: why something was added after the signature."""

    signed: bool
    partial: bool = False
    addenda: tuple[str, ...] = ()


UNSIGNED = ReportSigning(signed=False)


def signing_of(logs: Iterable[Sequence[FieldChange]]) -> ReportSigning:
    """Return the state of the signature of the report with these logs. Each log has the changes of one encounter from
    one gateway in their order; a repeated change counts once."""
    written = [log for log in map(_without_repetitions, logs) if has_entries(log)]
    return ReportSigning(
        signed=bool(written) and all(map(is_sealed, written)),
        partial=any(map(_lacks_sealed, written)),
        addenda=tuple(dict.fromkeys(reason for log in written for reason in addendum_reasons(log))),
    )


def has_entries(log: Iterable[FieldChange]) -> bool:
    """Return whether a person stated something about the patient in a log."""
    return any(each.author not in (GATEWAY_AUTHOR, DISPATCH_AUTHOR) and each.key not in ANNOTATIONS for each in log)


def _without_repetitions(log: Sequence[FieldChange]) -> list[FieldChange]:
    found: dict[str, FieldChange] = {}
    for change in log:
        found.setdefault(change.id, change)
    return list(found.values())


def _lacks_sealed(log: Sequence[FieldChange]) -> bool:
    """Return whether a seal covers more changes than a log has before it."""
    seals = [(place, read_seal(each.value or "")) for place, each in enumerate(log) if each.key == Annotation.SEAL]
    return any(seal is not None and seal.changes > place for place, seal in seals)
