"""The program `argus-verify`: checks a transcript of evidence from a file, without a network and without the cloud.

It imports `protocols` and nothing else of ours (import-linter holds this), so an expert can read all of it.
"""
