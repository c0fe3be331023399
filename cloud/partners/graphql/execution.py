"""Execute the plan of a document for a caller, within a time limit, and mask the errors of resolvers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from graphql import ExecutionResult, GraphQLError, execute, get_variable_values
from graphql.execution.values import VariableValues

from cloud.foundation.graphql_fields import ArgumentInvalid, GraphContext
from cloud.foundation.trace import note_error
from cloud.partners.graphql.errors import MASKED_CODE, FieldForbidden, OperationTooSlow, field_error
from cloud.partners.graphql.schema import Plan, schema

log = structlog.get_logger()

OPERATION_S_MAX = 10.0
"""Longest execution of an operation (contract matrix A-092)."""
ERRORS_MAX = 20
"""Errors of one response. An operation that fails for each entry of a list has the same error a thousand times."""


def check_scopes(plan: Plan, scopes: frozenset[str]) -> None:
    """Raise `FieldForbidden` if a field of the document needs a scope that the caller lacks."""
    for needed in plan.scopes:
        if not needed & scopes:
            raise FieldForbidden(f"(It needs {' or '.join(sorted(needed))}.)")


def check_variables(plan: Plan, given: Mapping[str, Any]) -> None:
    """Raise `ArgumentInvalid` for variables that are missing, unknown or of another type. The message names the
    variable, and never its value."""
    unknown = given.keys() - plan.variables
    if unknown:
        raise ArgumentInvalid("(The operation has no such variable.)")
    found = get_variable_values(
        schema(), plan.operation.variable_definitions or (), dict(given), max_errors=1, hide_suggestions=True
    )
    if isinstance(found, VariableValues):
        return
    error = found[0]
    reason = error.original_error
    detail = reason.detail if isinstance(reason, ArgumentInvalid) else "The value is missing or has another type."
    raise ArgumentInvalid(f"({_variable_of(error, plan)}: {detail})")


def _variable_of(error: GraphQLError, plan: Plan) -> str:
    """Return the name of the variable that an error is about, by the node of its definition."""
    for definition in plan.operation.variable_definitions or ():
        if any(node is definition for node in error.nodes or ()):
            return f"${definition.variable.name.value}"
    return "a variable"


async def run_plan(plan: Plan, context: GraphContext, variables: Mapping[str, Any], trace_id: str) -> dict[str, Any]:
    """Execute a plan and return the GraphQL response. Raises `OperationTooSlow`."""
    outcome = execute(
        schema(),
        plan.document,
        context_value=context,
        variable_values=dict(variables),
        hide_suggestions=True,
    )
    try:
        async with asyncio.timeout(OPERATION_S_MAX):
            result = outcome if isinstance(outcome, ExecutionResult) else await outcome
    except TimeoutError:
        raise OperationTooSlow from None
    document: dict[str, Any] = {"data": result.data}
    if result.errors:
        document["errors"] = [_shown(error, trace_id) for error in result.errors[:ERRORS_MAX]]
    return document


def _shown(error: GraphQLError, trace_id: str) -> dict[str, Any]:
    reason = error.original_error
    shown = field_error(reason, error.path, trace_id)
    if shown["extensions"]["code"] == MASKED_CODE:
        note_error(reason or error)
        log.error("graphql.resolver_failed", error=type(reason or error).__name__, trace=trace_id)
    return shown
