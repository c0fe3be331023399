"""Read the settings file with the sections of all slices."""

from pathlib import Path

from cloud.foundation import settings
from cloud.slices import SLICES

MODEL = settings.settings_model({name: one.load(part) for one in SLICES for name, part in one.settings.items()})
"""Model of the whole file: the settings that belong to no slice, and the sections of all slices."""


def read_settings(path: Path) -> settings.Settings:
    """Read and check the file. Raises `SettingsUnusable`, which names the field and never quotes a value."""
    return settings.read_settings(path, MODEL)
