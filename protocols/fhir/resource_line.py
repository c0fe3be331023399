"""The entries of a bundle as lines of NDJSON, each a resource of its own (FHIR Bulk Data).

In a transaction, entries refer to each other by temporary addresses, which the server replaces. A resource on its own
has its id, and refers to others by type and id. The ids are those of the entries (`ids`), so a resource of an export
and the same resource of a bundle have the same identifier."""

import re

_BEGIN = '{"fullUrl":"urn:uuid:'
_ID_LENGTH = 36
_RESOURCE = '","resource":{'
_REQUEST = ',"request":{'
# A quote within a text of JSON has a backslash, so no text of a device matches.
_REFERENCE = re.compile(r'"reference":"urn:uuid:([0-9a-f-]{36})","type":"([A-Za-z]{1,64})"')


def resource_line(entry: str) -> str:
    """Return the resource of an entry that `datatypes.entry` made, as the JSON text of one line."""
    end = len(_BEGIN) + _ID_LENGTH
    assert entry.startswith(_BEGIN), "an entry begins with its address"
    assert entry.startswith(_RESOURCE, end), "its resource follows"
    body = entry[end + len(_RESOURCE) : entry.rindex(_REQUEST)]
    return f'{{"id":"{entry[len(_BEGIN) : end]}",{_REFERENCE.sub(_with_type, body)}'


def _with_type(found: "re.Match[str]") -> str:
    id_, kind = found.groups()
    return f'"reference":"{kind}/{id_}","type":"{kind}"'
