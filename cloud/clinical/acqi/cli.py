"""`argus-cloud acqi`: list the indicators of the quality of care, and compute them for a range."""

from typing import Annotated

import typer

from cloud.clinical.acqi.indicators import INDICATORS
from cloud.clinical.acqi.service import Acqi
from cloud.foundation.command import AsJson, TenantOption, print_rows, run
from cloud.foundation.moments import MomentMalformed, read_moment

acqi = typer.Typer(help="Quality indicators of ambulance care.", no_args_is_help=True)


def _moment(text: str) -> int:
    try:
        return read_moment(text)
    except MomentMalformed as error:
        raise typer.BadParameter(error.sentence) from None


@acqi.command("indicators")
def list_indicators(as_json: AsJson = False) -> None:
    """List the indicators with their definitions and sources."""
    rows = [
        {
            "name": one.name,
            "english": one.english,
            "polish": one.polish,
            "unit": one.unit.value,
            "numerator": one.numerator,
            "denominator": one.denominator,
            "exclusions": one.exclusions,
            "source": one.source,
        }
        for one in INDICATORS
    ]
    print_rows("Indicators", rows, as_json=as_json)


@acqi.command("metrics")
def show_metrics(
    context: typer.Context,
    tenant: TenantOption,
    since: Annotated[str, typer.Option("--from", help="Begin of the range, such as 2026-04-01T00:00:00Z.")],
    until: Annotated[str, typer.Option("--to", help="End of the range, which does not belong to it.")],
    as_json: AsJson = False,
) -> None:
    """Show the indicators of all organisations of a tenant over a range of at most 366 days."""
    from_us, until_us = _moment(since), _moment(until)
    found = run(context, lambda place: Acqi(place.database).metrics(place.operator(tenant), from_us, until_us))
    rows = [
        {
            "name": one.indicator.name,
            "value": one.sums.value,
            "numerator": one.sums.numerator,
            "denominator": one.sums.denominator,
            "unit": one.indicator.unit.value,
        }
        for one in found
    ]
    print_rows("Indicators", rows, as_json=as_json)
