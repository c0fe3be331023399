"""FHIR R4: the transaction bundle of an encounter, after the HL7 Personal Health Device guide.

One code for the cloud and for the hand-over in the vehicle. It does no I/O and knows no clock, so equal input gives
equal bytes. `bundle` is where to start: it puts the entries of a bundle together, and limits its parts. `observations`
writes the measurements of devices from templates, since an encounter has some ten thousand of them. The other modules
build one kind of resource each: `devices`, `patient`, `encounter`, `care_entries`, `composition`.

The care record comes in as `protocols.epcr.projection.VisibleRecord`, so that nothing else of it can leave.
"""
