"""Playback of recordings: WFDB records as a device's signals, wire captures as a device's session."""
