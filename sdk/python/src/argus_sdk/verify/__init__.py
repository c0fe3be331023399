"""The program `argus-verify`: checks a transcript of evidence from a file, without a network and without the cloud.

It imports the check of the SDK, which imports no module of the network, so an expert can read all of it.
"""
