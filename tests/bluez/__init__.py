"""The gateway on the real stack: BlueZ, D-Bus and Linux's own Bluetooth, in a virtual machine (the guest) with a
virtual Bluetooth controller.
"""
