"""A fixture: one Chromium for all browser tests of a file."""

from tests.gateway.crew.conftest import browser

__all__ = ["browser"]
