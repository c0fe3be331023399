"""Errors about an observation that an application posts."""

from cloud.foundation.errors import DomainError


class MdcCodeMalformed(DomainError, code="mdc_code_malformed", status=422):
    """mdc_code is a reference identifier of ISO/IEEE 11073-10101, such as MDC_PULS_OXIM_SAT_O2."""


class MdcCodeNotMeasured(DomainError, code="mdc_code_not_measured", status=422):
    """mdc_code does not name a measurement."""


class UnitCodeMalformed(DomainError, code="unit_code_malformed", status=422):
    """unit_code is a UCUM unit (case-sensitive), such as %, /min, mm[Hg] or Cel."""


class UnitCodeMismatch(DomainError, code="unit_code_mismatch", status=422):
    """unit_code does not measure the quantity of this mdc_code."""


class DeviceClassMismatch(DomainError, code="device_class_mismatch", status=422):
    """A device of this class does not measure this mdc_code. Check the device id, or enrol the device with its correct
    class."""


class ObservedAtOutOfRange(DomainError, code="observed_at_out_of_range", status=422):
    """observed_at is at most 30 days ago and at most 5 minutes ahead."""


class EncounterNotLinkable(DomainError, code="encounter_not_linkable", status=422):
    """The encounter is not in this organisation."""


class ValueNotFinite(DomainError, code="value_not_finite", status=400):
    """value is a finite number."""
