"""The 20601 association engine without I/O: bytes and time in, events and bytes out, for either role.

events = association.receive(data, now_s) # make them durable, then association.delivered(event)
link.write(association.to_send())
"""
