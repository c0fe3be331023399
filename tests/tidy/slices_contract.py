"""An import-linter contract: code outside a slice (a feature package) imports only the slice's `__init__`.

It acts like import-linter's `protected` contract for every slice in the rooms (packages of slices), so a new slice
needs no contract of its own.
"""

import grimp
from importlinter import Contract, ContractCheck, fields, output


class SlicesContract(Contract):
    """The contract; `rooms` are the packages whose direct children are slices."""

    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        deep = sorted(
            (importer, imported)
            for room in self.rooms
            for one in graph.find_children(room)
            for imported in graph.find_descendants(one)
            for importer in graph.find_modules_that_directly_import(imported)
            if importer != one and not importer.startswith(f"{one}.")
        )
        return ContractCheck(kept=not deep, metadata={"deep": deep})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["deep"]:
            output.print_error(f"{importer} imports {imported}; import it from the slice, which must export it.")
