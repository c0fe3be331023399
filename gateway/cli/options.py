"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def config_of(context: typer.Context) -> Path:
    path = context.find_root().obj
    assert isinstance(path, Path)
    return path
