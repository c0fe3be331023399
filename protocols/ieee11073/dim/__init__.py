"""The domain information model of 20601: objects of a device, and conversion of values, observations and reports."""
