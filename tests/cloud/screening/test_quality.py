"""Recall and precision of the search on a generated list with misspelled names.

The operator's guide (`docs/operator.md`) has the figures that this test measures. The seeds are fixed, so the figures
change only with the product.
"""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from cloud.foundation.db import open_database
from protocols.sanctions.entry import EntryKind
from tests.builders.invented_names import MISSPELLINGS, InventedNames
from tests.builders.sanctions_lists import ofac_xml
from tests.builders.screening import open_office

ENTRIES = 4_000
QUERIES = 500
RECALL_MIN = 0.95
"""Share of misspelled names of entries that find their entry."""
PRECISION_MIN = 0.95
"""Share of the names with a hit that are names of entries, if as many other names are searched."""
RECALL_OF_ONE_LETTER_MIN = 0.98
"""The same as `RECALL_MIN` for names with one wrong, missing, added or exchanged letter."""


@pytest.mark.contract("A-053")
async def test_misspelled_names_are_found_and_other_names_are_not(migrated_sqlite: Path, tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}")
    try:
        office = await open_office(database)
        names, others = InventedNames(1), InventedNames(2)
        entries = names.entries(ENTRIES)
        await office.take(ofac_xml(entries))
        kind_of = {entry.reference: entry.kind for entry in entries}
        searched, found = Counter[str](), Counter[str]()
        for _ in range(QUERIES):
            variant = names.variant(names.random.choice(entries))
            result = await office.screen(variant.name, kinds=frozenset((kind_of[variant.reference],)))
            searched[variant.made_by] += 1
            found[variant.made_by] += any(hit.entry.reference == variant.reference for hit in result.hits)
        false_hits = 0
        for number in range(QUERIES):
            is_person = number % 5 > 0
            kinds = frozenset((EntryKind.PERSON if is_person else EntryKind.ORGANIZATION,))
            name = others.person() if is_person else others.organization()
            false_hits += bool((await office.screen(name, kinds=kinds)).hits)
    finally:
        await database.close()
    recall, precision = found.total() / QUERIES, found.total() / (found.total() + false_hits)
    figures = f"recall {recall:.3f}, precision {precision:.3f}, {dict(found)} of {dict(searched)}"
    assert searched.keys() == MISSPELLINGS.keys()
    assert recall >= RECALL_MIN, figures
    assert precision >= PRECISION_MIN, figures
    assert found["one letter"] / searched["one letter"] >= RECALL_OF_ONE_LETTER_MIN, figures
    print(figures)
