"""Envelopes in the object store: packed objects of envelopes as received, and the index by which they are read."""

from typing import TYPE_CHECKING

from cloud.clinical.waveforms import tables as tables
from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.waveforms.ages import ANNOUNCED_US, ORPHAN_US, READERS_US, REPACK_US
    from cloud.clinical.waveforms.announcing import AnnouncedObjects
    from cloud.clinical.waveforms.groups import RunToPack, pack_groups
    from cloud.clinical.waveforms.index import ClockOfSource, ObjectOfSource, WaveformIndex, WaveformObject, is_near_run
    from cloud.clinical.waveforms.names import NUMERICS, WAVEFORMS, name_before, new_name, packed_at_us
    from cloud.clinical.waveforms.packed_object import ENTRIES_BYTES_MAX, decode_object, erased_hash
    from cloud.clinical.waveforms.packing import BatchToPack, pack
    from cloud.clinical.waveforms.reading import WaveformEnvelopes, read_index
    from cloud.clinical.waveforms.rewriting import RewrittenObject, rewrite_object
    from cloud.clinical.waveforms.runs import (
        RUN_BATCHES_MAX,
        RUN_BYTES_MAX,
        RUN_OBSERVATIONS_MAX,
        RUN_SPAN_US,
        Run,
        SourceSpan,
        StoredRun,
        merge_spans,
    )
    from cloud.clinical.waveforms.summarising import ChannelKey, SampleBlocks, Summarising
    from cloud.clinical.waveforms.summary import ChannelSummary, Extremes
    from cloud.clinical.waveforms.sweeping import OrphanSweeper
    from cloud.clinical.waveforms.tables import waveform_objects, waveform_runs, waveform_sources
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, tables="tables", jobs="jobs:jobs")
