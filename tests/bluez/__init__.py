"""The gateway on the real stack: BlueZ, D-Bus and Linux's own Bluetooth, in a guest whose controller is virtual."""
