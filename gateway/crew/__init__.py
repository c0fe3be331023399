"""The page for the crew's tablet: live values, read-only, behind the vehicle's PIN."""

from gateway.crew.app import CrewApp, CrewStatus

__all__ = ["CrewApp", "CrewStatus"]
