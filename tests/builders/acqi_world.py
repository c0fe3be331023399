"""Care records for tests of quality indicators."""

from collections.abc import Mapping
from random import Random

from cloud.clinical.acqi.facts import Facts
from cloud.clinical.acqi.scoring import Scoring
from cloud.clinical.epcr import CareLog, Encounter, ReceivedChanges
from cloud.foundation.db import Database
from protocols.epcr.change import Action, FieldChange
from tests.builders.care_changes import NOW_US, change

ARREST = {
    "arrest.present": "3001003",
    "arrest.resuscitation": "3003005",
    "arrest.cause": "3002001",
    "arrest.witnessed_by": "3004007",
    "arrest.first_rhythm": "3011011",
    "arrest.rosc": "3012003",
}
"""A witnessed arrest with a shockable rhythm, and circulation at arrival in the hospital."""

_UNREAD = "patient.city"
"""An element that no indicator reads."""
_VALUES: Mapping[str, tuple[str, ...]] = {
    "arrest.present": ("3001001", "3001003", "3001005"),
    "arrest.resuscitation": ("3003005", "3003001", "3003007"),
    "arrest.rosc": ("3012001", "3012003", "3012007"),
    "arrest.first_rhythm": ("3011001", "3011011"),
    "arrest.cpr_begun_by": ("3020001", "3020013"),
    "call.service_requested": ("2205001", "2205005"),
    "call.mode_details": ("2224015", "2224019"),
    "situation.primary_impression": ("I63.9", "J45.9", "R55", "S06.0", "I10"),
    "situation.possible_injury": ("9922001", "9922005"),
    "times.call_received": ("2027-01-15T08:00:00+01:00", "2027-01-15T08:05:00+01:00"),
    "times.on_scene": ("2027-01-15T07:12:00+00:00", "2027-01-15T06:00:00+00:00"),
    "vitals.glucose": ("40", "95", "Low"),
    "vitals.gcs_sum": ("15", "9"),
    "vitals.spo2": ("97",),
    "vitals.etco2": ("35",),
    "vitals.systolic": ("120",),
    "vitals.pain": ("3",),
    "medications.drug": ("4850", "435", "1191"),
    _UNREAD: ("Gdynia",),
}


def facts_of(values: Mapping[str, str], **more: str) -> Facts:
    """Return the facts of a record with these values, each the only one of its element."""
    return Facts({key: {"v1" if key.startswith("vitals.") else "": (value,)} for key, value in values.items()})


def random_change(random: Random, encounter_id: str, number: int, earlier: list[FieldChange]) -> FieldChange:
    """Return a change: a value, a negative beside a drug, a correction of an earlier change, or a void entry. A few
    have the id of an earlier change, of any element."""
    name, time_us = f"change-{number}", NOW_US + number
    if earlier and random.random() < 0.1:
        name = random.choice(earlier).id
    if earlier and random.random() < 0.25:
        old = random.choice(earlier)
        if old.entry is not None and random.random() < 0.5:
            group = old.key.partition(".")[0]
            return change(
                group,
                "wrong",
                id=name,
                encounter=encounter_id,
                entry=old.entry,
                action=Action.VOID,
                gateway_time_us=time_us,
            )
        return change(
            old.key,
            random.choice(_VALUES[old.key]),
            id=name,
            encounter=encounter_id,
            entry=old.entry,
            action=random.choice((Action.SET, Action.REMOVE)),
            replaces=(old.id,),
            gateway_time_us=time_us,
        )
    key = _UNREAD if random.random() < 0.2 else random.choice(sorted(_VALUES))
    repeated = key.partition(".")[0] in ("vitals", "medications")
    return change(
        key,
        random.choice(_VALUES[key]),
        id=name,
        encounter=encounter_id,
        entry=random.choice(("e1", "e2")) if repeated else None,
        negative="contraindicated" if key == "medications.drug" and random.random() < 0.3 else None,
        gateway_time_us=time_us,
    )


class RecordKeeper:
    """Stores changes of care records as the ingest does, each call as the next batch of one lane."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sequence = 0

    async def store(self, encounter: Encounter, *changes: FieldChange) -> None:
        self._sequence += 1
        batch = ReceivedChanges(
            lane_id=7,
            sequence=self._sequence,
            tenant_id=encounter.tenant_id,
            organization_id=encounter.organization_id,
            vehicle_id=encounter.vehicle_id or "",
            gateway_id="gw_test",
            received_at_us=NOW_US,
            changes=changes,
        )
        async with self._database.transaction() as tx:
            await CareLog().append(tx, [batch])

    async def state(self, encounter: Encounter, values: Mapping[str, str], *, prefix: str = "") -> None:
        """Store a value for each of these elements. `prefix` makes the ids of the changes different."""
        await self.store(
            encounter,
            *(
                change(key, value, id=f"{prefix}{encounter.id}-{key}", encounter=encounter.id)
                for key, value in values.items()
            ),
        )


async def score_all(database: Database, chunks_max: int = 100) -> int:
    """Score until no encounter is marked, as the worker does; return the number of marks."""
    marks = 0
    for _ in range(chunks_max):
        taken = await Scoring().score_next(database)
        marks += taken
        if not taken:
            break
    return marks
