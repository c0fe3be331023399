"""Sessions: each handles one device on one link, passes its observations to the buffer, and is restarted after a
failure.
"""
