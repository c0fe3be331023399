"""Errors about imported lists. Only the console shows them."""

from cloud.foundation.errors import PrivateError


class ListFormatUnknown(PrivateError, code="list_format_unknown"):
    """The format of the list is unknown."""


class ListNameMalformed(PrivateError, code="list_name_malformed"):
    """A list name has 1 to 64 characters from A-Z, a-z, 0-9, underscore and hyphen."""


class TooManyLists(PrivateError, code="too_many_lists"):
    """Too many imports of lists of the tenant were interrupted within a day. Their rows are deleted a day after the
    begin of each."""


class ListUnreadable(PrivateError, code="list_unreadable"):
    """The list cannot be read. The list of this name that was imported before is searched as until now."""


class ListHasProblems(PrivateError, code="list_has_problems"):
    """Records of the list cannot be used, so it was not put into use, and the list of this name that was imported
    before is searched as until now. Correct the file, or import it without these records with --accept-problems."""


class ListEmpty(PrivateError, code="list_empty"):
    """The list has no entry that can be used. The list of this name that was imported before is searched as until
    now."""


class ListShrunk(PrivateError, code="list_shrunk"):
    """The list has less than half the entries of the largest one of this name that was imported since --accept-smaller
    was given last, so it may be incomplete, and was not put into use. If it is right, import it with
    --accept-smaller."""
