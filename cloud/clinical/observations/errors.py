"""What can be refused about an observation that an application posts."""

from cloud.foundation.errors import DomainError


class MdcCodeMalformed(DomainError):
    """mdc_code is a reference identifier of ISO/IEEE 11073-10101, such as MDC_PULS_OXIM_SAT_O2."""

    code = "mdc_code_malformed"
    status = 422


class MdcCodeNotMeasured(DomainError):
    """This mdc_code does not name something that is measured."""

    code = "mdc_code_not_measured"
    status = 422


class UnitCodeMalformed(DomainError):
    """unit_code is a unit as UCUM writes it (case-sensitive), such as %, /min, mm[Hg] or Cel."""

    code = "unit_code_malformed"
    status = 422


class UnitCodeMismatch(DomainError):
    """Values of this mdc_code are not measured in this unit."""

    code = "unit_code_mismatch"
    status = 422


class DeviceClassMismatch(DomainError):
    """A device of this class does not measure that; check the device's id, or enrol it with its right class."""

    code = "device_class_mismatch"
    status = 422


class ObservedAtOutOfRange(DomainError):
    """observed_at lies at most 30 days in the past and 5 minutes in the future."""

    code = "observed_at_out_of_range"
    status = 422


class EncounterNotLinkable(DomainError):
    """encounter_id names no encounter of this organisation."""

    code = "encounter_not_linkable"
    status = 422


class ValueNotFinite(DomainError):
    """value is a finite number."""

    code = "value_not_finite"
    status = 400
