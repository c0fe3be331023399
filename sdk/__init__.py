"""Parts for integrators and experts beside the cloud: the program `argus-verify` and the published test vectors."""
