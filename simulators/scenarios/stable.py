"""A stable patient, as in a transfer; the baseline of the other scenarios."""

from simulators.physiology.timeline import Scenario

STABLE = Scenario("stable")
