"""Stable patient, as in a routine transfer. All parameters keep their defaults."""

from simulators.physiology.timeline import Scenario

STABLE = Scenario("stable")
