"""Handler of `POST /graphql`: the transport of GraphQL over HTTP.

A client that accepts `application/graphql-response+json` gets it, with the status codes of the specification. Any other
client gets `application/json`. Its status is 200 if the operation was executed, and also if it is not approved, since
the specification requires 200 for a well-formed request there. Otherwise it is 400, 403 or 503 (contract matrix A-090,
S-116, S-120). Errors before the body is read, such as a missing token, are problem documents as on other routes.
"""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import ValidationError

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.graphql_fields import GraphContext
from cloud.foundation.http import BodyMalformed, Json, Parts, Request, Response, headers_of, prefers, read_json
from cloud.partners.graphql.approval import Approval
from cloud.partners.graphql.errors import BatchingDisabled, GraphqlMalformed, OperationNotApproved, request_error
from cloud.partners.graphql.execution import check_scopes, check_variables, run_plan
from cloud.partners.graphql.schemas import GraphqlRequest

RESPONSE_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"


class GraphqlHandlers:
    """Handler of the GraphQL route."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._approval = Approval(parts.database, parts.clock)

    async def execute(self, request: Request) -> Response:
        media_type = _media_type(request.headers.getall("Accept", ()))
        trace_id = request.trace.trace_id
        try:
            wanted = _read(request.raw_body)
            plan = await self._approval.find_plan(request.verified, wanted)
            if wanted.operationName is not None and wanted.operationName != plan.name:
                raise GraphqlMalformed("(`operationName` is not the name of the operation.)")
            check_scopes(plan, request.verified.scopes)
            variables = wanted.variables or {}
            check_variables(plan, variables)
            context = GraphContext(request.verified, request.actor, self._parts)
            return _reply(await run_plan(plan, context, variables, trace_id), 200, media_type)
        except PrivateError:
            raise
        except DomainError as error:
            document = {"errors": [request_error(error, trace_id)]}
            return _reply(document, _status(error, media_type), media_type, headers_of(error))


def _reply(document: object, status: int, media_type: str, headers: dict[str, str] | None = None) -> Response:
    more = {"Vary": "Accept", **(headers or {})}
    return Json(document, status=status, media_type=f"{media_type}; charset=utf-8", headers=more)


def _status(error: DomainError, media_type: str) -> int:
    if media_type == RESPONSE_TYPE:
        return error.status
    if isinstance(error, OperationNotApproved):
        return 200
    return 400 if error.status == HTTPStatus.UNPROCESSABLE_ENTITY else error.status


def _media_type(accepts: Sequence[str]) -> str:
    """Return the media type of the response. Clients that list both types without a preference get the newer one;
    `*/*` alone names none, and older clients send it."""
    named = any(RESPONSE_TYPE in text.lower() for text in accepts)
    return RESPONSE_TYPE if named and not prefers(accepts, JSON_TYPE, RESPONSE_TYPE) else JSON_TYPE


def _read(raw: bytes) -> GraphqlRequest:
    # Before it is parsed: an array may have a hundred operations (contract matrix A-092).
    if raw.lstrip()[:1] == b"[":
        raise BatchingDisabled
    try:
        return GraphqlRequest.model_validate(read_json(raw))
    except BodyMalformed as error:
        raise GraphqlMalformed(error.detail) from None
    except ValidationError as error:
        place = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"]
        known = place[0] if place and place[0] in GraphqlRequest.model_fields else "The body"
        raise GraphqlMalformed(f"({known} has another type or length.)") from None
