"""The care record (ePCR) as vehicle and cloud share it: its elements, its changes, and the life of an encounter.

`catalogue` has one row for each element; the vehicle, the cloud and every export read the same rows. The record is a
log of field changes (`change`): `check` compares a change with the catalogue where it is written, and `record` computes
the current record from the log. `projection` is the part of the record that may leave the organisation. `encounter` has
the status of an encounter.
"""
