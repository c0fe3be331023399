"""Sanctions lists and labels of wallets: import, and search for names and wallets."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.screening.errors import ListEmpty, ListShrunk, ListUnreadable, TooManyLists
    from cloud.clinical.screening.explanation import explain, shown_list
    from cloud.clinical.screening.importing import ImportedList, ListFile, ListImport, StagedList
    from cloud.clinical.screening.model import Screened, ScreeningList, Subject, WalletHit
    from cloud.clinical.screening.search import Search
    from cloud.clinical.screening.wallets import normalized_address
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tables="tables",
    jobs="jobs:jobs",
    commands={"screening": "cli:screening"},
)
