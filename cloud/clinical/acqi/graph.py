"""GraphQL field `acqiMetrics` (contract C-129 … C-134, A-089, A-093)."""

from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLFloat,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
)

from cloud.clinical.acqi.model import Metric
from cloud.clinical.acqi.service import Acqi
from cloud.foundation.graphql_fields import (
    DATE_TIME,
    BuiltInBundle,
    GraphContext,
    GraphFields,
    object_type,
    root_field,
)

ACQI_READ = "argus:acqi:read"

_DOCUMENT = (
    "query($from: DateTime!, $to: DateTime!) "
    "{ acqiMetrics(fromDate: $from, toDate: $to) { name value numerator denominator unit%s } }"
)
DOCUMENT = _DOCUMENT % ""
"""The document that the contract prints."""
DOCUMENT_WITH_SPARKLINE = _DOCUMENT % " sparkline { t v }"


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("a count is an integer")
    return value


_COUNT = GraphQLScalarType(
    "Count",
    coerce_output_value=_whole,
    description="A whole number up to 2^53. The seconds of a year's missions exceed the 32 bits of Int.",
)

_POINT = object_type(
    "AcqiPoint",
    "A point of the trend: the value of the days that begin at `t`, null without encounters.",
    lambda: {"t": GraphQLField(GraphQLNonNull(DATE_TIME)), "v": GraphQLField(GraphQLFloat)},
)
_METRIC = object_type(
    "AcqiMetric",
    "An indicator over the range. `value` is numerator / denominator, null for a denominator of 0.",
    lambda: {
        "name": GraphQLField(GraphQLNonNull(GraphQLString)),
        "value": GraphQLField(GraphQLFloat),
        "numerator": GraphQLField(GraphQLNonNull(_COUNT)),
        "denominator": GraphQLField(GraphQLNonNull(_COUNT)),
        "unit": GraphQLField(GraphQLNonNull(GraphQLString)),
        "sparkline": GraphQLField(GraphQLNonNull(GraphQLList(GraphQLNonNull(_POINT)))),
    },
)


async def _metrics(context: GraphContext, /, **arguments: Any) -> list[dict[str, Any]]:
    acqi = Acqi(context.parts.database)
    found = await acqi.metrics(context.caller.viewer, arguments["fromDate"], arguments["toDate"])
    return [_shown(one) for one in found]


def _shown(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.indicator.name,
        "value": metric.sums.value,
        "numerator": metric.sums.numerator,
        "denominator": metric.sums.denominator,
        "unit": metric.indicator.unit.value,
        "sparkline": [{"t": point.at_us, "v": point.sums.value} for point in metric.trend],
    }


GRAPH = GraphFields(
    queries={
        "acqiMetrics": root_field(
            GraphQLList(GraphQLNonNull(_METRIC)),
            _metrics,
            scopes=frozenset({ACQI_READ}),
            arguments={
                "fromDate": GraphQLArgument(GraphQLNonNull(DATE_TIME)),
                "toDate": GraphQLArgument(GraphQLNonNull(DATE_TIME)),
            },
            description="The indicators of the encounters that began from `fromDate` until before `toDate`, at most "
            "366 days. Encounters whose care record has expired count in whole days (UTC) only.",
        )
    },
    bundles=(BuiltInBundle(name="acqi.read", documents=(DOCUMENT, DOCUMENT_WITH_SPARKLINE)),),
)
