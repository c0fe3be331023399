"""`observations.*`: the size of waveforms on the wire and at rest, and the rate at which they are decoded.

The waveforms are those of the demo: the monitor's twelve-lead ECG at 500 Hz, pleth, capnogram and respiration. Their
size is that of whole envelopes, with signature, hashes and names, for each sample, because the cloud stores envelopes
as received. A gateway with little to do sends each report (a quarter of a second) as its own batch, which is the least
favourable division.

Decoding begins with the payload of an envelope and ends with observations, whose samples are the bytes that the device
sent. The reference loops over these bytes once. Both rates are for a second of processor time, because the absolute
rate is promised and other work of the machine must not change it.
"""

import time
from collections.abc import Callable

from protocols.uplink.observations import decode_block
from tests.bench.frame import Done, Figure
from tests.builders.monitor_waveforms import bytes_per_sample, reports, sent_batches

NAMES = ("observations.waveform_bytes_per_sample",)
DURATION_S = 30.0
ARREST_S = 120.0
"""Patient second of the scenario `cardiac-arrest` from which on it is measured: compressions and fibrillation."""
REPORTS_A_SECOND = 4

Run = Callable[[], Done]


def measure_size() -> Figure:
    """Return the bytes of an envelope for each sample: one report a batch; in the spread, batches of a second, and one
    report a batch during a cardiac arrest."""
    stable = reports(DURATION_S)
    arrest = reports(DURATION_S, scenario="cardiac-arrest", from_s=ARREST_S)
    spread = (
        bytes_per_sample(sent_batches(stable, reports_each=REPORTS_A_SECOND)),
        bytes_per_sample(sent_batches(arrest, reports_each=1)),
    )
    return Figure(
        name=NAMES[0],
        value=bytes_per_sample(sent_batches(stable, reports_each=1)),
        unit="bytes (¼ s a batch; spread: 1 s, arrest)",
        reference=None,
        reference_is="–",
        ratio=None,
        spread=spread,
        runs=1,
    )


def measure_decode(reports_each: int) -> tuple[Run, Run]:
    """Return two runs over waveform batches of `reports_each` quarters of a second: decoded, and a loop over the bytes
    of their samples."""
    batches = sent_batches(reports(DURATION_S), reports_each=reports_each)
    observations = [one for batch in batches for each in batch.sections for one in each.observations]
    octets = b"".join([one.samples for one in observations if one.samples is not None])
    samples = sum([batch.samples for batch in batches])

    def ours() -> Done:
        begun_s = time.process_time()
        for batch in batches:
            decode_block(batch.payload)
        return Done(samples, time.process_time() - begun_s)

    def reference() -> Done:
        begun_s = time.process_time()
        x = 0
        for b in octets:
            x += b & 3
        return Done(samples, time.process_time() - begun_s)

    return ours, reference
