"""The gateway computer in the ambulance: link → session → buffer → uplink, with a page for the crew."""
