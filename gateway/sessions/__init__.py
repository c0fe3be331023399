"""Sessions: each handles one device on one link and passes its observations to the buffer."""
