"""Decoders raise `RemoteProtocolError` and nothing else, on any bytes, as `protocols.errors` states."""

import importlib
import pkgutil
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import protocols.ieee11073.apdu
from protocols.errors import RemoteProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import Prst, body_of, decode_apdu, decode_data
from protocols.ieee11073.apdu.attributes import AvaType, HandleAttrValMapEntry, ProductionSpecEntry
from protocols.ieee11073.apdu.pm_store import decode_selection
from protocols.ieee11073.dim.configuration import Configuration, scanner_map, value_map
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.identity import identity_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.report_plan import compile_plan
from protocols.ieee11073.mder import decode, decode_list
from protocols.ieee11073.mder.codec import _SEQUENCES
from tests.builders.fuzz_counts import SEED, count, seeded
from tests.builders.ieee11073_corpus import apdus
from tests.builders.ieee11073_devices import ALARMS, BLOOD_PRESSURE, OXIMETER, ecg_configuration
from tests.builders.ieee11073_mutations import MUTATIONS, with_right_lengths

COUNT = count(300)
EVENT_TYPES = (b"\x0d\x1d", b"\x0d\x1e", b"\x0d\x29")
MODELS = [DeviceModel(one, Notes()) for one in (OXIMETER, BLOOD_PRESSURE, ALARMS, ecg_configuration())]


def whole_apdu(octets: bytes) -> None:
    found = decode_apdu(octets)
    if isinstance(found, Prst):
        body_of(decode_data(found.data))


def configuration(octets: bytes) -> None:
    assert DeviceModel(Configuration.decode(0x4001, octets), Notes()).channels is not None


for module in pkgutil.iter_modules(protocols.ieee11073.apdu.__path__):
    importlib.import_module(f"{protocols.ieee11073.apdu.__name__}.{module.name}")
# Every wire type, sorted by name, so that the order does not depend on imports in other tests.
STRUCTURES = {
    wire_type.__name__: partial(decode, wire_type)
    for wire_type in sorted(_SEQUENCES, key=lambda wire_type: wire_type.__name__)
    if wire_type.__module__.startswith("protocols.")
}

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "apdu": whole_apdu,
    "stream": lambda octets: ApduStream().feed(octets),
    "configuration": configuration,
    "attributes": lambda octets: identity_of(b"", decode_list(AvaType, octets)),
    "production": lambda octets: decode_list(ProductionSpecEntry, octets),
    "value map": value_map,
    "scanner map": scanner_map,
    "scanner entries": lambda octets: decode_list(HandleAttrValMapEntry, octets),
    "selection of segments": decode_selection,
    **STRUCTURES,
}


@pytest.mark.parametrize("name", DECODERS)
def test_mutated_apdu_bytes_are_decoded_or_refused(name: str) -> None:
    print(f"\nfuzz: {COUNT} inputs for {name}, seed {SEED}")
    samples = [sample.octets for sample in apdus()]
    read = refused = 0
    for number in range(COUNT):
        random = seeded(name, number)
        octets = bytearray(random.choice(samples))
        del octets[: random.choice((0, 0, 12, 22, 26, random.randrange(0, len(octets), 2)))]
        del octets[random.choice((len(octets), random.randrange(len(octets) + 1))) :]
        for _ in range(random.randrange(0, 4)):
            if len(octets) >= 2:
                random.choice(MUTATIONS)(octets, random)
        try:
            DECODERS[name](bytes(octets))
            read += 1
        except RemoteProtocolError:
            refused += 1
    assert read + refused == COUNT


def test_mutated_scan_report_is_decoded_or_refused() -> None:
    samples = (sample.octets for sample in apdus())
    reports = [one for one in samples if one[8:9] == b"\x01" and one[18:20] in EVENT_TYPES]
    assert len(reports) == 4
    for number in range(COUNT * 3):
        random = seeded("report", number)
        octets = bytearray(random.choice(reports))
        head = bytes(octets[:20])
        for _ in range(random.randrange(1, 4)):
            random.choice(MUTATIONS)(octets, random)
        octets[:20] = head
        apdu = with_right_lengths(bytes(octets))
        try:
            plan = compile_plan(apdu, random.choice(MODELS))
        except RemoteProtocolError:
            continue
        run = plan.match(memoryview(apdu))
        assert run is not None
        assert len(plan.observe(run, 0.0)) == len(plan.observations)
