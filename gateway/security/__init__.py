"""Identity of the gateway, and access to it: its keys and certificate, and the crew's PIN."""
