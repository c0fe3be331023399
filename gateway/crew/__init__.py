"""The page for the crew's tablet: read-only live values behind the vehicle's PIN."""

from gateway.crew.app import CrewApp, CrewStatus

__all__ = ["CrewApp", "CrewStatus"]
