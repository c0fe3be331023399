"""Hand-over of a patient to a hospital: which facts of a care record are stated, in which order, and in which words.

`content` is where to start. Page, PDF and FHIR bundle show its result and word nothing themselves, so that the three
never differ. It does no I/O and knows no clock: the caller passes the time and the readings of the devices.
"""
