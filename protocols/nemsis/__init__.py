"""Care records as documents of NEMSIS 3.5.1 (EMSDataSet), the American standard of ambulance reports.

`report` is our table of the document: the order and nesting of its elements. `element` adds to each element what the
standard requires of it: its form, the permitted reasons for a missing value, the pertinent negatives. `export` writes a
care record as a document and checks it against the table, and `content` has the rules of single values. `document`
reads a foreign document as a hostile one, and `statements` turns it into statements about elements of the care record.

The schemas and code lists of NEMSIS have no licence, so this package has none of their texts. Its tests compare the
table with the published files.
"""
