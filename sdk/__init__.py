"""What integrators and experts use beside the cloud: the program `argus-verify` and the published test vectors."""
