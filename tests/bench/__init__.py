"""The measurements of DESIGN §6. Each is a ratio to a reference that is measured in the same run, alternating
with it.
"""
