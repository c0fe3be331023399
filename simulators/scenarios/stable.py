"""A patient who stays well: what a transfer looks like, and the ground that the other scenarios start from."""

from simulators.physiology.timeline import Scenario

STABLE = Scenario("stable", "An adult at rest; nothing happens.")
