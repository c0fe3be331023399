"""Roles of crew members on board, as the cloud's crew register and the vehicle's tablet know them."""

from enum import StrEnum


class CrewRole(StrEnum):
    """The role of a crew member on board."""

    PHYSICIAN = "physician"
    PARAMEDIC = "paramedic"
    TECHNICIAN = "technician"
    NURSE = "nurse"
    DRIVER = "driver"
    STUDENT = "student"
    OBSERVER = "observer"
    OTHER = "other"
