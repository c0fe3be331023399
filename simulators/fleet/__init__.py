"""Simulated fleet: N gateways in one process, each with its own identity, store and uplink, against a running cloud.

A vehicle consists of the product's own `gateway.buffer` and `gateway.sync`. Simulated are only the sessions with the
devices: `recording` appends what they would append. This is the only part of the simulators that imports the inside of
the gateway (an import contract).
"""
