"""Playback of recordings: WFDB records as the signals of a device, wire captures as the session of a device."""
