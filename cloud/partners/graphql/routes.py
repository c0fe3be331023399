"""The GraphQL transport. Its operations are not described in public documents (contract matrix C-099, A-139)."""

from cloud.foundation.http import ANY_TOKEN, Host, Parts, Route
from cloud.partners.graphql.document import DOCUMENT_BYTES_MAX
from cloud.partners.graphql.handlers import JSON_TYPE, RESPONSE_TYPE, GraphqlHandlers
from cloud.partners.graphql.schemas import GraphqlRequest, GraphqlResponse

_FORM = {"$ref": "#/components/schemas/GraphqlResponse"}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = GraphqlHandlers(parts)
    return (
        Route(
            method="POST",
            path="/graphql",
            handler=h.execute,
            host=Host.API,
            scopes=ANY_TOKEN,
            body=GraphqlRequest,
            body_as_sent=True,
            body_bytes_max=DOCUMENT_BYTES_MAX,
            response=GraphqlResponse,
            other_forms={RESPONSE_TYPE: _FORM},
            error_forms={JSON_TYPE: _FORM, RESPONSE_TYPE: _FORM},
            responses={
                200: "The operation was executed, and `errors` lists the fields that failed. With `application/json`, "
                "also: the app may not send it.",
                400: "The request, the document or a variable is invalid.",
                403: "The token lacks a scope of a field or, for clients that accept the GraphQL media type, the app "
                "may not send this operation.",
                422: "A variable is invalid, for clients that accept the GraphQL media type.",
                503: "The operation took longer than 10 seconds.",
            },
            tenant_header=True,
            errors=(
                "invalid_graphql_request",
                "batching_disabled",
                "graphql_parse_failed",
                "document_too_complex",
                "operation_not_approved",
                "forbidden",
                "bad_user_input",
                "operation_timeout",
            ),
            operation_id="executeGraphql",
            summary="Use the shared GraphQL transport",
            description="Executes one operation of the operation bundles that the app was given. Send the text of the "
            "document in `query`, or its id in `documentId`. Other documents, and arrays of operations, are "
            "refused. At most 60 texts per minute may differ from the registered ones.",
            tag="GraphQL",
            request_example={"query": "<approved GraphQL document>", "variables": {}},
            response_example={"data": {"result": "Returned for your approved operation bundle"}},
        ),
    )
