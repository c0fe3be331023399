"""The 20601 association engine for both roles. It does no I/O: bytes and the time go in, events and bytes come out.

events = association.receive(data, now_s)  # store each event durably, and call association.delivered(event)
link.write(association.to_send())
"""
