"""FHIR bundle of a hand-over, made on the vehicle with the code of the cloud.

It is one transaction bundle: the care record, the device values that the hand-over has (thinned), and the ECG strip.
Its Composition has the words of the page and of the PDF as its text. Observations and devices have the ids that they
have in the bundle of the cloud. The patient and the entries of the record have ids of the vehicle, since the cloud's
follow from a key that no vehicle has; the cloud's bundle is the complete one.
"""

from collections.abc import Callable, Sequence
from html import escape

from gateway.epcr.handover.handovers import Handover
from protocols.device_description import NO_DESCRIPTION, DeviceDescription
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.signing import ReportSigning
from protocols.fhir.bundle import EncounterBundle
from protocols.fhir.composition import ReportState, report_state
from protocols.fhir.devices import FIRMWARE, HARDWARE, PROTOCOL, SOFTWARE, DeviceFacts
from protocols.uplink.channels import DeviceRef

Describe = Callable[[str], DeviceDescription]
"""Returns what a device, by its system id, reported about itself."""


def describe_nothing(_: str) -> DeviceDescription:
    """Return the description of a device that has reported nothing about itself."""
    return NO_DESCRIPTION


def handover_bundle(handover: Handover, describe: Describe = describe_nothing) -> bytes:
    """Return the bundle as JSON."""
    bundle = EncounterBundle(handover.facts, handover.record, narrative=narrative(handover), state=state_of(handover))
    part = bundle.part(is_first=True)
    known: dict[DeviceRef, DeviceFacts] = {}
    for record in (*handover.observations, *handover.waveforms):
        if (facts := known.get(record.device)) is None:
            facts = known[record.device] = _device_facts(record.device, describe(record.device.system_id))
        part.add(record, facts)
    return part.encoded()


def state_of(handover: Handover) -> ReportState:
    """Return the status of the report, with its reason in the words of the page."""
    wording = handover.wording
    signing = ReportSigning(handover.signed, handover.partial, tuple(map(wording.text, handover.addenda)))
    why_partial = f"{wording.words(PHRASES['partial'])}. {wording.words(PHRASES['why_partial'])}"
    return report_state(signing, handover.record.audience, why_partial=why_partial)


def narrative(handover: Handover) -> str:
    """Return the hand-over as XHTML of a FHIR narrative: the facts of each item, in order."""
    content = handover.content
    head = ". ".join(filter(None, (content.made_at, content.state, content.newest)))
    lines = [f"<p><b>{escape(content.title)}</b> {escape(head)}</p>"]
    for item in (*content.items, *content.further):
        lines.append(f"<p><b>{escape(item.title)}</b></p>{_list(item.facts or (item.missing,))}")
    if content.signatures:
        title = handover.wording.words(PHRASES["signatures"])
        lines.append(f"<p><b>{escape(title)}</b></p>{_list([one.caption for one in content.signatures])}")
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{"".join(lines)}</div>'


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def _device_facts(ref: DeviceRef, described: DeviceDescription) -> DeviceFacts:
    versions = {
        HARDWARE: described.hardware_revision,
        SOFTWARE: described.software_revision,
        FIRMWARE: described.firmware_revision,
        PROTOCOL: described.protocol_revision,
    }
    return DeviceFacts(
        id=ref.system_id,
        system_id=ref.system_id,
        manufacturer=described.manufacturer,
        model=described.model or ref.model,
        serial_number=described.serial_number,
        unverified_link=ref.unverified_link,
        versions={type_: text for type_, text in versions.items() if text},
        described=described,
    )
