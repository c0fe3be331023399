"""Sessions: one conversation with one device, from its link to the buffer, supervised so that it is restarted."""
