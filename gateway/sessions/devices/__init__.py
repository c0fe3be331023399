"""The devices that the gateway knows: identity, trust, presence and histories."""
