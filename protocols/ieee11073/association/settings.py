"""Timeouts and limits of an association; defaults are the standard's where a source names one (reference §9.3)."""

from dataclasses import dataclass

from protocols.framing.apdu_stream import APDU_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class PmStoreSettings:
    """Settings for fetching and clearing devices' memories."""

    fetch: bool = True
    """Fetch all of them when an association begins. False: never."""
    clear: bool = False
    """Have the device clear a segment once all of it is durable. An operator's decision: some want it kept there."""
    to_action_s: float = 3.0
    """For SEG_GET_INFO and SEG_TRIG_XFER."""
    to_transfer_s: float = 30.0
    """Between two events of a segment that names no Transfer-Timeout."""
    to_clear_s: float = 10.0
    """For SEG_CLR of a store that names no Clear-Timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """Timeouts and limits of a manager."""

    to_config_s: float = 10.0
    """From AARE accepted-unknown-config, or a refused configuration, to the next configuration report."""
    to_release_s: float = 3.0
    """From our RLRQ to the agent's RLRE."""
    to_get_s: float = 3.0
    """From our Get to its answer."""
    to_set_s: float = 3.0
    """From our confirmed Set to its answer; the standard's name and value are not confirmed."""
    to_action_s: float = 3.0
    """From our confirmed action to its answer; as above."""
    enable_scanners: bool = True
    """Enable each scanner of a configuration once the device said what it is. False: never."""
    scanners_max: int = 32
    """Scanners that are enabled unasked; a configuration of a thousand would fill the queue of requests."""
    scanner_silent_intervals: int = 10
    """After so many reporting intervals without a report a scanner is silent, not before `scanner_silent_s_min`."""
    scanner_silent_s_min: float = 2.0
    """Links and schedulers stutter: a waveform every 32 ms is not missed after a third of a second."""
    request_data: bool = True
    """Request all data of an agent that reports nothing unasked and supports such a request."""
    clock_read_every_s: float | None = 600.0
    """Interval at which the clocks of a device are read again, all in one Get. None: only on command."""
    memory: PmStoreSettings = PmStoreSettings()
    """Rules for PM-stores."""
    apdu_bytes_max: int = APDU_BYTES_MAX
    """Larger APDUs end the link: the protocol has none."""
    to_apdu_s: float = 5.0
    """Silence of a link within an APDU that ends the association. Our own rule: the standard has no partial APDUs."""
    resynchronise: bool = False
    """True on a line that outlives its device: when the framing is lost, go on at the next association request."""
    accept_standard_configurations: bool = True
    """False: every agent must send its configuration, unless this device sent it once before."""
    configurations_max: int = 8
    """Refused configuration reports that one association may offer. One known agent repeats them without end."""
    malformed_max: int = 32
    """APDUs that could not be read before the manager gives the association up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Timeouts and limits of an agent."""

    to_assoc_s: float = 10.0
    """From AARQ to AARE."""
    associations_max: int = 3
    """Number of AARQs that are sent before the agent gives up (RCassoc)."""
    to_config_s: float = 10.0
    """From our configuration report to the manager's verdict."""
    to_release_s: float = 3.0
    """From our RLRQ to the manager's RLRE."""
    to_cer_s: float = 3.0
    """From a confirmed event report to its response (TOcer-mds)."""
    apdu_bytes_max: int = APDU_BYTES_MAX
    """Larger APDUs end the link."""
    to_apdu_s: float = 5.0
    """Silence of a link within an APDU that ends the association."""
    scanners_start_enabled: bool = False
    """True: a device that reports from its scanners unasked, against the standard; for trying managers."""
    reports_unasked: bool = True
    """False: the device says that it reports only what a manager requests."""
