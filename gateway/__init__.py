"""The gateway computer in the ambulance: links to devices, sessions, buffer and uplink, with a page for the crew."""
