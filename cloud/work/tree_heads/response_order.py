"""Sort the certificates in the response of a time-stamping service, as DER requires of a set (X.690 11.6).

Services that run OpenSSL send them unsorted, and our verifier, which reads strict DER, would refuse every one of them.
The order is not signed (RFC 5652 5.4), and sorting changes no length, so the response is otherwise the same.
"""

_SEQUENCE, _FIRST_TAGGED = 0x30, 0xA0


def sort_certificates(response: bytes) -> bytes:
    """Return a TimeStampResp (RFC 3161 2.4.2) with the certificates of its token in the order of DER. Raises
    `ValueError` if it is not such a structure; what is within its parts is not examined."""
    whole = _content(response, 0, _SEQUENCE)
    *_, token = _children(response, *whole, most=2)
    *_, content = _children(response, *_content(response, token[0], _SEQUENCE), most=2)
    signed = _content(response, _content(response, content[0], _FIRST_TAGGED)[0], _SEQUENCE)
    for first, end in _children(response, *signed, most=6):
        if response[first] == _FIRST_TAGGED:
            start, _ = _content(response, first, _FIRST_TAGGED)
            sorted_ones = sorted(response[one:until] for one, until in _children(response, start, end, most=16))
            return response[:start] + b"".join(sorted_ones) + response[end:]
    return response


def _children(data: bytes, first: int, end: int, *, most: int) -> list[tuple[int, int]]:
    """Return the places of the elements between two places: where each begins, and where it ends."""
    found: list[tuple[int, int]] = []
    while first < end:
        _, until = _content(data, first, data[first])
        if until > end or len(found) == most:
            raise ValueError("an element does not fit")
        found.append((first, until))
        first = until
    if not found:
        raise ValueError("there is no element")
    return found


def _content(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Return where the content of the element at a place begins and ends. Its length takes at most two bytes more."""
    header = data[at : at + 4]
    if len(header) < 2 or header[0] != tag or header[1] not in (*range(128), 0x81, 0x82):
        raise ValueError("another element is expected")
    more = header[1] & 0x7F if header[1] & 0x80 else 0
    length = int.from_bytes(header[2 : 2 + more], "big") if more else header[1]
    start = at + 2 + more
    if start + length > len(data):
        raise ValueError("the data ends too early")
    return start, start + length
