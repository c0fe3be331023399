"""Settings files of the cloud, as an operator writes them."""

from pathlib import Path

HOSTS = "\n".join(
    f'[hosts.{name}]\nlisten = "127.0.0.1:0"\npublic_url = "http://localhost:{port}"\n'
    for port, name in enumerate(("auth", "api", "sandbox", "docs"), start=1)
)
"""The four hosts in development, each on any free port."""


def settings_file(folder: Path, *, database_url: str = "sqlite:///cloud.db", more: str = HOSTS) -> Path:
    """Write `cloud.toml` with the database URL and `more` into a folder; return its path."""
    path = folder / "cloud.toml"
    path.write_text(f'database_url = "{database_url}"\n{more}')
    return path
