"""The domain information model of 20601: the objects of a device, and the conversion between their values, observations
and reports.
"""
