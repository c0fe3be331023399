"""Choice of an association's configuration: known to the manager, or offered by the device (reference 20601 §9.1).

The manager knows standard configurations, and those that the device sent in earlier associations. Any other
configuration has to be sent by the device. The decisions are made here; `manager` changes the states.
"""

from typing import NamedTuple

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.data import ConfigReport, ConfigResult
from protocols.ieee11073.association.admission import Applicant, compare_ids
from protocols.ieee11073.association.configurations import ConfigurationStore
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.attribute import ObjectClass
from protocols.ieee11073.dim.channels import METRICS
from protocols.ieee11073.dim.configuration import CONFIG_ID_EXTENDED_MAX, Configuration, is_standard
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.mder import decode
from protocols.ieee11073.specializations import standard_configuration
from protocols.ieee11073.tolerances import Oddity

_USABLE = METRICS | {ObjectClass.PERIODIC_SCANNER, ObjectClass.EPISODIC_SCANNER, ObjectClass.PM_STORE}


class Verdict(NamedTuple):
    """The manager's result for an offered configuration. `learned`: the device sent the objects, not only an id."""

    configuration: Configuration
    result: ConfigResult
    learned: bool


class Configuring:
    """The configuration of one association, and the store of earlier ones."""

    def __init__(self, store: ConfigurationStore, settings: ManagerSettings, notes: Notes) -> None:
        self._store = store
        self._settings = settings
        self._notes = notes
        self._offered = 0
        self.remembered = False
        """True while the configuration in force is one that this device sent in an earlier association."""

    def forget(self) -> None:
        self._offered = 0
        self.remembered = False

    def find(self, applicant: Applicant) -> Configuration | None:
        """Return the configuration that the association request (AARQ) names. Return None if the configuration is
        unknown or undecodable; the device then has to send it."""
        config_id = applicant.config_id
        if not 0 < config_id <= CONFIG_ID_EXTENDED_MAX:
            self._notes.add(Oddity.CONFIG_ID_RANGE, config_id.to_bytes(2, "big"), config_id=config_id)
            return None
        data = self._store.find(applicant.system_id, config_id)
        self.remembered = data is not None
        if data is not None:
            try:
                return Configuration.decode(config_id, data)
            except RemoteProtocolError:
                return None
        return self._standard(config_id)

    def judge(self, event_info: bytes, applicant: Applicant, apdu: bytes) -> Verdict:
        """Accept or refuse the configuration in `event_info` of the report `apdu`. Raises `RemoteProtocolError`."""
        self._offered += 1
        report = decode(ConfigReport, event_info)
        configuration = Configuration(report.config_report_id, report.config_obj_list).checked()
        config_id = configuration.config_id
        learned = bool(configuration.objects)
        result = ConfigResult.ACCEPTED_CONFIG
        if not learned:
            # An empty list with a standard id only names the configuration (reference §9.1).
            configuration = self._standard(config_id) or configuration
            if not configuration.objects:
                result = (
                    ConfigResult.STANDARD_CONFIG_UNKNOWN if is_standard(config_id) else ConfigResult.UNSUPPORTED_CONFIG
                )
        elif not any(item.obj_class in _USABLE for item in configuration.objects):
            result = ConfigResult.UNSUPPORTED_CONFIG
        if result is ConfigResult.ACCEPTED_CONFIG:
            compare_ids(applicant, config_id, apdu, self._notes)
        else:
            self._notes.add(Oddity.CONFIG_REFUSED, apdu, result=result.name)
        return Verdict(configuration, result, learned)

    def learn(self, system_id: bytes, configuration: Configuration) -> None:
        """Store a configuration that the device sent in this association."""
        self.remembered = False
        self._store.remember(system_id, configuration.config_id, configuration.encoded)

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        """Remove the stored configuration identified by `config_id`, because a report of the device contradicts it.
        Return whether the configuration was removed. A configuration that the device sent in this association is kept.
        """
        if not self.remembered:
            return False
        self.remembered = False
        return self._store.doubt(system_id, config_id)

    def check_offers(self) -> str:
        """Return the reason to end the association if the device has offered the maximum number of configurations
        without success, else an empty text."""
        if self._offered < self._settings.configurations_max:
            return ""
        self._notes.add(Oddity.CONFIG_OFFERED_IN_VAIN, offered=self._offered)
        return Oddity.CONFIG_OFFERED_IN_VAIN.sentence.format(offered=self._offered)

    def _standard(self, config_id: int) -> Configuration | None:
        return standard_configuration(config_id) if self._settings.accept_standard_configurations else None
