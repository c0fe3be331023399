"""Tests of the simulators' promises."""
