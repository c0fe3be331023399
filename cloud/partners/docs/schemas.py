"""The queries of the pages."""

from typing import Annotated

from pydantic import Field

from cloud.foundation.http import Query
from cloud.foundation.pages import Language
from cloud.partners.docs.search import QUERY_LENGTH_MAX


class SearchQuery(Query):
    """The words of a search."""

    q: Annotated[str, Field(max_length=QUERY_LENGTH_MAX, description="The words.")] = ""


class LanguageQuery(Query):
    """The language of a page that has one address for both."""

    language: Annotated[
        Language | None, Field(description="The language of the HTML page. Default: by `Accept-Language`.")
    ] = None
