"""What devices measured, as rows that are written once and read in time."""

from cloud.clinical.observations import tables as tables
