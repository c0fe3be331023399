"""What integrators and administrators use: webhooks, discovery, documentation, administration."""
