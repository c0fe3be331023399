"""Functions of the product are short, names of times have their unit, and every module is used."""

import ast
import re
from pathlib import Path

from tests.tidy.sources import ROOT, numbers_of_code_lines, project_files, python_files, statements

FUNCTION_LINES_MAX = 60
"""Limit of lines of code in a function's body. The signature does not count, since a command lists its options
there."""

_OURS = ("protocols", "gateway", "cloud", "sdk", "simulators")
PROJECTS = ("pyproject.toml", "sdk/python/pyproject.toml", "sdk/python/README.md")
"""Files that name commands, and the public modules of the SDK, which only its users import."""
SOURCE_FOLDERS = (ROOT / "sdk" / "python" / "src", ROOT / "sdk" / "python" / "build_backend")
_MIGRATIONS = "cloud/foundation/db/migrations"
# Modules loaded without an import: nomenclature tables, alembic's entry point and its revisions.
_COLLECTED = re.compile(rf"/terms_[a-z0-9_]+\.py$|{_MIGRATIONS}/|/__main__\.py$|/__init__\.py$")
_LACKS_UNIT = re.compile(
    r"(^|_)(timeout|delay|interval|duration|age|period|deadline|latency|elapsed|lifetime|ttl|pause)(_(max|default))?$",
    re.IGNORECASE,
)
# Files with names from the standards, or with parameters of a library's functions.
_NAMED_BY_OTHERS = {
    "protocols/ieee11073/dim/attribute.py",
    "protocols/ieee11073/apdu/actions.py",
    "protocols/ieee11073/apdu/association.py",
    "protocols/ble/ghs_observation.py",
    "simulators/ble/attach.py",
    "simulators/ble/client.py",
    "cloud/foundation/http/server.py",
}


def product_files() -> list[Path]:
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in _OURS]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, code: set[int]) -> int:
    """Return the number of lines of code in a function's body; 0 if the body is a single return, which may be a long
    table."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body or (len(body) == 1 and isinstance(body[0], ast.Return)):
        return 0
    return len(code.intersection(range(body[0].lineno, (function.end_lineno or 0) + 1)))


def long_functions(text: str) -> dict[str, int]:
    long = [
        node
        for node in statements(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    code = numbers_of_code_lines(text) if long else set()
    return {node.name: count for node in long if (count := body_lines(node, code)) > FUNCTION_LINES_MAX}


def test_functions_have_at_most_60_lines_of_code() -> None:
    # A migration is a table of columns.
    files = [path for path in product_files() if _MIGRATIONS not in str(path)]
    assert {shown(path): long for path in files if (long := long_functions(path.read_text()))} == {}


def test_function_that_only_returns_a_table_may_be_long() -> None:
    rows = "\n".join("        1," for _ in range(FUNCTION_LINES_MAX))
    table = f'def table():\n    """A table."""\n    return (\n{rows}\n    )\n'
    steps = "def steps():\n" + "\n".join("    x = 1" for _ in range(FUNCTION_LINES_MAX + 1)) + "\n"
    assert long_functions(table + steps) == {"steps": FUNCTION_LINES_MAX + 1}


def times_without_unit(text: str) -> list[str]:
    """Return the names without a unit that sound like times: of parameters and variables annotated as int or float, and
    of constants whose value is a number."""
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as kind):
                pass
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=kind):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int() | float())):
                kind = ast.Name("int")
            case _:
                continue
        if _LACKS_UNIT.search(name) and re.fullmatch(r"(int|float)( \| None)?", ast.unparse(kind)):
            found.append(name)
    return found


def test_names_of_time_values_contain_their_unit() -> None:
    found = {
        shown(path): bare
        for path in product_files()
        if shown(path) not in _NAMED_BY_OTHERS and (bare := times_without_unit(path.read_text()))
    }
    assert found == {}


def test_time_value_without_a_unit_in_its_name_is_found() -> None:
    text = (
        "TIMEOUT = 3\n\ndef f(delay: float, pause_s: float, age_max: int | None) -> None:\n    self.period: int = 1\n"
    )
    assert sorted(times_without_unit(text)) == ["TIMEOUT", "age_max", "delay", "period"]


def imported(text: str) -> set[str]:
    """Return the modules that a file imports, and all of its strings, because commands and parts of slices name their
    modules in strings."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, node.value.partition(":")[0]}
    return found


def module_name(path: Path) -> str:
    """Return the name by which a module is imported. The SDK and its build have folders of their own."""
    folder = next((one for one in SOURCE_FOLDERS if path.is_relative_to(one)), ROOT)
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def declared_parts(path: Path) -> set[str]:
    """Return the modules that a slice's declaration names in its strings, for instance `cli` in "cli:audit"."""
    texts = {text.partition(":")[0] for text in imported(path.read_text()) if re.fullmatch(r"\w+(:\w+)?", text)}
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return {f"{package}.{name}" for name in texts}


def test_every_module_of_the_product_is_imported_or_run() -> None:
    used: set[str] = set()
    for path in python_files():
        # A module that only its own tests use is dead.
        if path.relative_to(ROOT).parts[0] in _OURS:
            used |= imported(path.read_text())
            if path.name == "__init__.py":
                used |= declared_parts(path)
    others = "\n".join((ROOT / name).read_text() for name in (*PROJECTS, "Makefile", ".ci/setup"))
    modules = {module_name(path): path for path in product_files()}
    dead = [name for name, path in modules.items() if name not in used and not _COLLECTED.search(str(path))]
    assert [name for name in dead if name not in others] == []


def test_every_shell_script_belongs_to_a_command() -> None:
    scripts = [path for path in project_files() if path.suffix == ".sh"]
    callers = "\n".join(
        path.read_text()
        for path in project_files()
        if path.suffix in {".py", ".toml", ".yml"} or path.name in {"Makefile", "setup", "run"}
    )
    assert [shown(path) for path in scripts if path.name not in callers] == []
