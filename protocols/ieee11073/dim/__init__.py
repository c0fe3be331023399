"""The domain information model: the objects of a device, and the conversion of their values to observations and
reports."""
