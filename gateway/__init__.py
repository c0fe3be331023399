"""The box in the ambulance: link → session → buffer → uplink, with a screen for the crew."""
