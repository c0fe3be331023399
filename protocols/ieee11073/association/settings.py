"""Timeouts and limits of an association. Defaults are the standard's values if a source states them
(reference §9.3)."""

from dataclasses import dataclass

from protocols.framing.apdu_stream import APDU_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class PmStoreSettings:
    """Settings for fetching and clearing devices' memories."""

    fetch: bool = True
    """True: all PM-stores are fetched when an association begins. False: never."""
    clear: bool = False
    """True: the device clears a segment once all its entries are durable here. The operator decides, because some want
    the device to keep them."""
    to_action_s: float = 3.0
    """From our SEG_GET_INFO or SEG_TRIG_XFER to its response."""
    to_transfer_s: float = 30.0
    """Between two event reports of a segment that states no Transfer-Timeout."""
    to_clear_s: float = 10.0
    """From our SEG_CLR to its response, for a PM-store that states no Clear-Timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """Timeouts and limits of a manager."""

    to_config_s: float = 10.0
    """From AARE accepted-unknown-config, or the rejection of a configuration, to the next configuration report."""
    to_release_s: float = 3.0
    """From our RLRQ to the agent's RLRE."""
    to_get_s: float = 3.0
    """From our Get to its response."""
    to_set_s: float = 3.0
    """From our confirmed Set to its response. The name and value are not verified against the standard."""
    to_action_s: float = 3.0
    """From our confirmed action to its response. The name and value are not verified either."""
    enable_scanners: bool = True
    """True: each scanner of a configuration is enabled once the device is identified. False: never."""
    scanners_max: int = 32
    """Maximum number of scanners that are enabled. A configuration with a thousand would fill the queue of requests."""
    scanner_silent_intervals: int = 10
    """Number of reporting intervals without a report after which a periodic scanner is silent, but not before
    `scanner_silent_s_min`."""
    scanner_silent_s_min: float = 2.0
    """Shortest time without a report after which a scanner is silent. Links and schedulers stall: with reports every
    32 ms, ten intervals (a third of a second) are too short."""
    request_data: bool = True
    """True: all data is requested from an agent that reports only on request and supports such a request."""
    clock_read_every_s: float | None = 600.0
    """Interval at which the clocks of a device are read, all in one Get. None: only on command."""
    memory: PmStoreSettings = PmStoreSettings()
    """Settings for PM-stores."""
    apdu_bytes_max: int = APDU_BYTES_MAX
    """Maximum size of an APDU in the protocol. A larger one is handled as lost framing (`resynchronise`)."""
    to_apdu_s: float = 5.0
    """Silence within an APDU after which the association is aborted. Our own limit: the standard has no partial APDUs.
    """
    resynchronise: bool = False
    """True, for a serial line, which stays open when a device leaves: after lost framing, continue at the next
    association request. False: close the connection."""
    accept_standard_configurations: bool = True
    """True: standard configurations are known. False: an agent must send even a standard one, unless this device sent
    it before."""
    configurations_max: int = 8
    """Number of rejected configuration reports after which the association ends. One known agent repeats them without
    end."""
    malformed_max: int = 32
    """Number of malformed APDUs that are rejected in an association; the next one aborts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Timeouts and limits of an agent."""

    to_assoc_s: float = 10.0
    """From AARQ to AARE."""
    associations_max: int = 3
    """Number of AARQs that are sent before the agent gives up (RCassoc)."""
    to_config_s: float = 10.0
    """From our configuration report to the manager's response."""
    to_release_s: float = 3.0
    """From our RLRQ to the manager's RLRE."""
    to_cer_s: float = 3.0
    """From a confirmed event report to its response (TOcer-mds)."""
    apdu_bytes_max: int = APDU_BYTES_MAX
    """Maximum size of an APDU. A larger one ends the connection."""
    to_apdu_s: float = 5.0
    """Silence within an APDU after which the association is aborted."""
    scanners_start_enabled: bool = False
    """True: the scanners report without being enabled, against the standard. For tests of managers."""
    reports_unasked: bool = True
    """True: the agent declares in its AARQ that it sends reports by itself. False: only on a manager's request."""
