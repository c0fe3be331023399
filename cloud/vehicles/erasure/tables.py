"""Tables of erasures beside the tombstone (`erased_encounters`): the erased intervals, the reports that the
encounter was joined to, and the walk through objects."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from cloud.foundation.db import metadata

erased_intervals = Table(
    "erased_intervals",
    metadata,
    # The intervals in which devices were assigned to the encounter: values that arrive later are erased too.
    Column("erasure_id", Text, ForeignKey("erased_encounters.erasure_id"), primary_key=True),
    Column("device_id", Text, primary_key=True),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False),
    Column("until_us", BigInteger, nullable=False),
)

erased_reports = Table(
    "erased_reports",
    metadata,
    # The reports of the crew that the encounter was joined to: field changes that arrive later are erased too.
    Column("erasure_id", Text, ForeignKey("erased_encounters.erasure_id"), primary_key=True),
    Column("report_id", Text, primary_key=True),
    Column("gateway_id", Text, primary_key=True),  # of which the changes are erased
)

erased_object_walks = Table(
    "erased_object_walks",
    metadata,
    # One row for each tenant with an erasure: how far the search for erased batches in packed objects is.
    Column("tenant_id", Text, ForeignKey("tenants.id"), primary_key=True),
    Column("after_name", Text, nullable=False),  # objects with greater names are searched next
    Column("through_us", BigInteger, nullable=False),  # all objects from before this time were searched
)
