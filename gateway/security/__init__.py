"""The gateway's keys and certificate, and the crew's PIN."""
