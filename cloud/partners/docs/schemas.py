"""The query of the search."""

from typing import Annotated

from pydantic import Field

from cloud.foundation.http import Query
from cloud.partners.docs.search import QUERY_LENGTH_MAX


class SearchQuery(Query):
    """The words of a search."""

    q: Annotated[str, Field(max_length=QUERY_LENGTH_MAX, description="The words.")] = ""
