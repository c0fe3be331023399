"""The public list of problem types has every error that an API client can receive, and no others."""

import subprocess
import sys

import orjson
import pytest

from cloud.foundation.errors import DomainError
from cloud.foundation.http.errors import OAUTH_ERRORS, OAuthError
from cloud.foundation.http.problem import catalogue, oauth_error, problem
from cloud.foundation.http.response import Response
from cloud.foundation.master_key import MasterKeyAbsent
from cloud.vehicles.fleet import GatewayTaken
from tests.tidy.sources import ROOT

API = "https://api.example.org"
# fmt: off
PUBLIC = frozenset((
    "access_denied", "app_public", "app_unknown", "bad_request", "bad_user_input", "batching_disabled", "blocked_url",
    "body_incomplete", "body_too_large", "cad_incident_malformed", "call_data_malformed", "care_record_too_large",
    "clearance_exceeded", "commit_lost", "commit_unknown", "connector_not_for_kind", "constraint_violated",
    "crew_member_unknown", "database_damaged", "database_unavailable", "delivery_unfinished", "delivery_unknown",
    "description_malformed", "device_class_mismatch", "device_class_unknown", "device_not_active",
    "device_text_malformed", "device_unknown", "document_too_complex", "encounter_finished", "encounter_not_linkable",
    "encounter_taken", "encounter_unknown", "end_time_misplaced", "event_not_approved", "evidence_damaged",
    "evidence_record_unknown", "evidence_records_missing", "evidence_unknown", "expectation_failed",
    "fhir_bundle_invalid", "forbidden", "gone", "grace_too_long", "graphql_parse_failed", "headers_too_large",
    "idempotency_key_in_flight", "idempotency_key_reused", "identifier_malformed", "insufficient_scope",
    "internal_error", "invalid_body", "invalid_client", "invalid_cursor", "invalid_events", "invalid_governance",
    "invalid_grant", "invalid_grant_types", "invalid_graphql_request", "invalid_header", "invalid_idempotency_key",
    "invalid_query", "invalid_redirect_uri", "invalid_replay", "invalid_request", "invalid_scope", "invalid_token",
    "invalid_ttl", "job_cancelled", "job_failed", "job_not_cancellable", "job_unknown", "job_without_result",
    "link_refused", "mdc_code_malformed", "mdc_code_not_measured", "method_not_allowed", "misdirected_request",
    "moment_malformed", "name_malformed", "nemsis_agency_missing", "nemsis_report_incomplete", "not_found",
    "observed_at_out_of_range", "operation_not_approved", "operation_timeout", "organization_required",
    "organization_unknown", "overloaded", "precondition_failed", "profile_taken", "profile_unknown", "range_invalid",
    "range_not_satisfiable", "rate_limited", "record_not_in_tree", "replay_under_way", "replay_unknown",
    "request_not_supported", "request_timeout", "result_expired", "revocation_unavailable", "server_error",
    "service_tokens_disabled", "share_link_ended", "share_link_unknown", "system_id_taken",
    "telephony_provider_disabled", "telephony_provider_malformed", "telephony_provider_unknown",
    "telephony_route_malformed", "telephony_route_taken", "telephony_route_unknown", "temporarily_unavailable",
    "tenant_mismatch", "tenant_streams_taken", "token_missing", "too_many_callback_addresses", "too_many_jobs",
    "too_many_streams", "too_many_telephony_providers", "too_many_telephony_routes", "too_many_tests",
    "too_many_uploads", "too_many_webhooks", "took_too_long", "trace_id_malformed", "trace_unknown",
    "traces_unreachable", "transaction_too_slow", "tree_head_unknown", "unauthorized_client", "unavailable",
    "unit_code_malformed", "unit_code_mismatch", "unsupported_grant_type", "unsupported_media_type",
    "unsupported_response_type", "upload_empty", "upload_unknown", "uploads_busy", "uploads_unavailable",
    "uri_too_long", "url_malformed", "value_not_finite", "value_refused", "vehicle_unknown", "verification_busy",
    "webhook_disabled", "webhook_host_not_allowed", "webhook_secret_malformed", "webhook_unknown",
    "whole_tenant_required", "wrong_environment",
))
# fmt: on
"""Add a new error of the API here; one that only the console, the log or a page shows is a `PrivateError`."""


def document_of(response: Response) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(response.body)
    return document


def test_public_problem_types_equal_the_fixed_list_of_error_codes() -> None:
    # In its own process, since tests declare errors too. Importing the hosts' code declares every kind.
    text = (
        "import cloud.slices; from cloud.foundation.http.problem import catalogue; "
        "from tests.builders.parts import make_parts; "
        "from cloud.surface import collect_rows; collect_rows(make_parts()); print(*(one.code for one in catalogue()))"
    )
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == PUBLIC


def test_every_public_problem_type_has_a_status_and_a_one_line_meaning() -> None:
    for kind in catalogue():
        assert 400 <= kind.status <= 599, kind
        assert kind.meaning.endswith((".", "`")), kind
        assert "\n" not in kind.meaning


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(MasterKeyAbsent(), 503, "unavailable"), (GatewayTaken("gw_1"), 500, "internal_error")],
)
def test_internal_error_is_returned_with_a_generic_code_instead_of_its_own_code(
    error: DomainError, status: int, code: str
) -> None:
    response = problem(error, types_at=API, instance=None, trace_id="0" * 32)
    document = document_of(response)
    assert (response.status, document["status"], document["code"]) == (status, status, code)
    assert error.code not in response.body.decode()
    assert "gw_1" not in response.body.decode()


def test_internal_error_on_an_oauth_route_is_returned_as_temporarily_unavailable() -> None:
    document = document_of(oauth_error(MasterKeyAbsent(), types_at=API))
    assert document["error"] == "temporarily_unavailable"
    assert document["error_uri"] == f"{API}/problems/temporarily-unavailable"


def test_every_oauth_error_has_a_problem_type() -> None:
    assert OAUTH_ERRORS.keys() <= {kind.code for kind in catalogue()}
    with pytest.raises(ValueError, match="no row"):
        OAuthError("made_up")
