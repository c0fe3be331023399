"""Tests of Bluetooth devices without a radio."""
