"""Who the gateway is, and who may look at it: its keys and certificate, and the crew's PIN."""
