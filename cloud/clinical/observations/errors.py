"""Errors about an observation that an application posts."""

from cloud.foundation.errors import DomainError


class MdcCodeMalformed(DomainError):
    """mdc_code is a reference identifier of ISO/IEEE 11073-10101, such as MDC_PULS_OXIM_SAT_O2."""

    code = "mdc_code_malformed"
    status = 422


class MdcCodeNotMeasured(DomainError):
    """mdc_code does not name a measurement."""

    code = "mdc_code_not_measured"
    status = 422


class UnitCodeMalformed(DomainError):
    """unit_code is a UCUM unit (case-sensitive), such as %, /min, mm[Hg] or Cel."""

    code = "unit_code_malformed"
    status = 422


class UnitCodeMismatch(DomainError):
    """unit_code does not measure the quantity of this mdc_code."""

    code = "unit_code_mismatch"
    status = 422


class DeviceClassMismatch(DomainError):
    """A device of this class does not measure this mdc_code. Check the device id, or enrol the device with its correct
    class."""

    code = "device_class_mismatch"
    status = 422


class ObservedAtOutOfRange(DomainError):
    """observed_at is at most 30 days ago and at most 5 minutes ahead."""

    code = "observed_at_out_of_range"
    status = 422


class EncounterNotLinkable(DomainError):
    """The encounter is not in this organisation."""

    code = "encounter_not_linkable"
    status = 422


class ValueNotFinite(DomainError):
    """value is a finite number."""

    code = "value_not_finite"
    status = 400
