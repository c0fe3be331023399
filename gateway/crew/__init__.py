"""The pages for the crew's tablet: live values behind the vehicle's PIN; reports and hand-overs for crew members."""

from gateway.crew.app import CrewApp, CrewStatus

__all__ = ["CrewApp", "CrewStatus"]
