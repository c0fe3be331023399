"""Tests of simulated Bluetooth devices and the virtual radio, without Bluetooth hardware."""
