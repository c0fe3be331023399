"""The query of a download."""

from typing import Annotated

from pydantic import Field

from cloud.foundation.http import Query


class DownloadQuery(Query):
    """The signed parts of an address. Both are absent from an address that was cut off."""

    expires: Annotated[str, Field(max_length=32, description="When the address expires, in seconds since 1970.")] = ""
    signature: Annotated[str, Field(max_length=128, description="The signature of the address.")] = ""
