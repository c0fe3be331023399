"""Findings of `doctor` about the store: whether it records, which data was lost, and which stores were set aside.

If a gateway runs, the findings come from its status. Otherwise the store is opened read-only, and its structure is
checked for at most CHECK_S.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.buffer import BufferUnusable
from gateway.buffer.set_aside import set_aside_records
from gateway.buffer.store_reader import StoreReader
from gateway.cli.finding import STORE, Finding
from gateway.console.status import set_aside_json
from gateway.security.identity import Identity
from gateway.settings import Settings
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane

CHECK_S = 20.0
"""Time for reading the structure of a large store; four gigabytes take about this long."""


def store_findings(settings: Settings, identity: Identity, status: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield findings about the store. `status` is the status of the running gateway; None where none runs."""
    if status is not None:
        yield from _running(status["store"])
        aside = status["store"].get("set_aside", [])
    else:
        yield from _stopped(settings, identity)
        aside = [set_aside_json(each) for each in set_aside_records(settings.store_path)]
    for each in aside:
        yield _set_aside(each)


def _running(store: Mapping[str, Any]) -> Iterator[Finding]:
    match store["state"]:
        case "ok":
            yield STORE.well("The running gateway commits to its store.")
        case "reserve":
            yield STORE.wrong(
                "The disk is full: new observations are refused to devices, and counted where no device keeps them; "
                "make room on its disk."
            )
        case _:
            yield STORE.wrong(f"Nothing is being recorded: {store.get('why') or 'there is no store.'}")
    # A running gateway of an earlier version does not report it.
    yield from _lost(store["gaps"], store.get("quarantined", 0))


def _stopped(settings: Settings, identity: Identity) -> Iterator[Finding]:
    path = settings.store_path
    try:
        reader = StoreReader(path, gateway=settings.gateway.id, key=identity.store_key)
    except BufferUnusable as error:
        yield STORE.wrong(str(error))
        return
    try:
        reader.check(CHECK_S)
        gaps, quarantined = reader.gaps(), reader.quarantined()
    except BufferUnusable as error:
        yield STORE.wrong(str(error))
    else:
        yield STORE.well(f"{path} is this gateway's store, whole as far as was read, and opens with its key.")
        yield from _lost(sum(each.gap.why is not GapReason.RETENTION for each in gaps), quarantined)
    finally:
        reader.close()


def _lost(gaps: int, quarantined: int) -> Iterator[Finding]:
    if quarantined:
        yield STORE.wrong(
            f"{quarantined} blocks could not be read back and are in quarantine: their data is lost unless the "
            "cloud had it, and gap records show where; check the disk, and replace it if the number grows."
        )
    if gaps:
        yield STORE.unwise(
            f"{gaps} gap records stand for data that was lost (full disk, damage, budget): the cloud has them too; "
            "see `argus-gateway status` and the operator's guide."
        )


def _set_aside(aside: Mapping[str, Any]) -> Finding:
    record = aside["record"]
    unsent = [
        f"{lane} {record.get(f'{lane}_acked') or 0} of {record[f'{lane}_last']} acknowledged"
        for lane in Lane
        if record.get(f"{lane}_last") is not None and record[f"{lane}_last"] > (record.get(f"{lane}_acked") or 0)
    ]
    known = f"known of epoch {record.get('epoch') or '?'}: {'; '.join(unsent) or 'all that is known was acknowledged'}"
    return STORE.wrong(
        f"{aside['file']} ({aside['bytes'] >> 20} MB) was set aside because it could not be used any more "
        f"({record.get('trouble', 'unknown')}); {known}. Recording goes on in a spare store. Run `argus-gateway store "
        f"recover {aside['file']}`, then move the file and the files beside it away."
    )
