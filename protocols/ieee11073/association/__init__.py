"""The 20601 association engine for manager and agent. It does no I/O: received bytes and the time are passed in, and it
returns events and the bytes to send.

    events = association.receive(data, now_s)  # store each event durably, and call association.delivered(event)
    link.write(association.to_send())
"""
