"""Errors about erasures."""

from cloud.foundation.errors import PrivateError


class EncounterOpen(PrivateError, code="encounter_open", status=409):
    """The encounter is not finished, so it cannot be erased. Nothing was erased. Finish it with `argus-cloud encounters
    finish`, and close its assignments with `argus-cloud assignments close`."""


class EncounterHeld(PrivateError, code="encounter_held", status=409):
    """A legal hold keeps data of this encounter, so nothing more is erased. Release the hold with `argus-cloud
    retention release`, if the law permits it."""


class EncounterErased(PrivateError, code="encounter_erased", status=409):
    """This encounter was erased. See `argus-cloud erasure list`."""


class ErasureUnconfirmed(PrivateError, code="erasure_unconfirmed", status=409):
    """An erasure cannot be undone. Nothing was erased. Confirm it with --yes."""


class StepTaken(PrivateError, code="erasure_step_taken", status=409):
    """Another process did this step of the erasure."""
