"""Hand-over of a patient at the hospital: a page, a PDF and a FHIR bundle, made on the vehicle without a network.

`handovers` is where to start: it reads the care record and the device values of an encounter. `page`, `pdf` and
`bundle` show what it found; the facts, their order and their words are those of `protocols.epcr.handover`. `codes`
gives a hospital's reader access for some minutes.
"""
