"""Statements of a migration that block a large table or break the release before.

A large table has millions of rows in a region of a thousand vehicles. A statement that reads or rewrites one, or locks
it while it works, makes ingest wait. A statement that removes or renames something breaks programs of the release
before, which an operator may go back to.
"""

import ast
import re
from collections.abc import Iterator, Set

_TABLE_AT = {
    "add_column": 0,
    "alter_column": 0,
    "batch_alter_table": 0,
    "create_check_constraint": 1,
    "create_foreign_key": 1,
    "create_index": 1,
    "create_primary_key": 1,
    "create_unique_constraint": 1,
    "drop_column": 0,
    "drop_constraint": 1,
    "drop_index": 1,
    "drop_table": 0,
    "rename_table": 0,
}
"""Functions of Alembic's `op` that change a table, with the place of the table's name among the arguments."""
_CONTRACTING = {"alter_column", "batch_alter_table", "drop_column", "drop_table", "rename_table"}
"""Functions that remove or change something that the release before uses, on a table of any size."""
_FAST = {"rename_table", "drop_constraint"}
"""Functions that change only the catalog, on a table of any size and on both databases."""
_CHANGING = re.compile(r"\b(ALTER|CLUSTER|CREATE|DELETE|DROP|INSERT|REINDEX|TRUNCATE|UPDATE|VACUUM)\b", re.IGNORECASE)

_FAST_SQL = re.compile(
    r"CREATE (TRIGGER \w+ (BEFORE|AFTER) |FUNCTION \w+\(\) RETURNS trigger )"
    r"|ALTER TABLE \w+ SET \(autovacuum_\w+ = \d+\)$"
)
"""The start of a statement that changes only the catalog. A trigger and its function are for later changes: no row is
read. PostgreSQL sets a parameter of autovacuum under a lock that excludes neither readers nor writers."""


def blocking_statements(text: str, large: Set[str]) -> list[str]:
    """Return a short description of each forbidden statement in the text of a migration, such as `create_index
    batches`. `large` are the names of the large tables."""
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    created = {_text(call.args[0], constants) for call in calls if _op(call) == "create_table"}
    return [finding for call in calls for finding in _findings(call, constants, created, large)]


def _op(call: ast.Call) -> str | None:
    """Return the name of the function of `op` that is called, or None."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="op"), attr=name):
            return name
    return None


def _findings(
    call: ast.Call, constants: dict[str, ast.expr], created: Set[str | None], large: Set[str]
) -> Iterator[str]:
    name = _op(call)
    if name == "execute":
        yield from _findings_in_sql(_text(call.args[0], constants), created, large)
    if name not in _TABLE_AT:
        return
    table = _table(call, _TABLE_AT[name], constants)
    if table is None:
        yield f"{name} of a table that is not a constant"
    elif table in created:
        return
    elif name == "add_column":
        yield from (f"add_column {table}: {reason}" for reason in _reasons_against_column(call))
    elif name in _CONTRACTING or (table in large and name not in _FAST):
        yield f"{name} {table}"


def _table(call: ast.Call, place: int, constants: dict[str, ast.expr]) -> str | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg in ("table_name", "source_table")]
    found = named or call.args[place : place + 1]
    return _text(found[0], constants) if found else None


def _reasons_against_column(call: ast.Call) -> Iterator[str]:
    """Yield why a column cannot be added to a table with rows without reading them or failing."""
    column = call.args[1] if len(call.args) > 1 else None
    if not isinstance(column, ast.Call):
        yield "no column is written here"
        return
    given = {keyword.arg: keyword.value for keyword in column.keywords}
    default = given.get("server_default")
    is_required = isinstance(given.get("nullable"), ast.Constant) and not ast.literal_eval(given["nullable"])
    if is_required and default is None:
        yield "NOT NULL without a default"
    if default is not None and not _is_constant_default(default):
        yield "a default that is computed for each row"
    kinds = [ast.unparse(argument.func) for argument in column.args if isinstance(argument, ast.Call)]
    if any(kind.endswith(("ForeignKey", "CheckConstraint", "Computed")) for kind in kinds):
        yield "a constraint that is checked on all rows"


def _is_constant_default(default: ast.expr) -> bool:
    """Return whether a default is a literal: a text, `sa.true()`, `sa.false()`, or `sa.text` of a literal."""
    match default:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Attribute(attr="true" | "false")):
            return True
        case ast.Call(func=ast.Attribute(attr="text"), args=[ast.Constant(value=str(sql))]):
            return re.fullmatch(r"-?\d+(\.\d+)?|'[^']*'|true|false", sql, re.IGNORECASE) is not None
    return False


def _findings_in_sql(sql: str | None, created: Set[str | None], large: Set[str]) -> Iterator[str]:
    if sql is None:
        yield "execute of a text that is not a constant"
        return
    if _FAST_SQL.match(sql):
        return
    verb = _CHANGING.search(sql)
    for table in sorted(large - created):
        if verb is not None and re.search(rf"\b{table}\b", sql):
            yield f"execute {verb.group().upper()} with {table}"


def _text(node: ast.expr, constants: dict[str, ast.expr]) -> str | None:
    """Return the value of an expression that is a text, also in `text(…)` or as a constant of the module; else None."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in constants:
            return _text(constants[name], {})
        case ast.Call(func=ast.Attribute(attr="text") | ast.Name(id="text"), args=[inner]):
            return _text(inner, constants)
    return None
