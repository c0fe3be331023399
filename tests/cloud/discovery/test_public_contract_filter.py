"""A path may be public on one host and hidden on another, so hidden paths are listed for each host (contract A-137)."""

import pytest

from cloud.partners.discovery import is_denied, is_public
from tests.builders.contract_samples import samples

HOST_OF = {
    "https://auth.knogin.com": "auth",
    "https://api.knogin.com": "api",
    "https://sandbox-api.knogin.com": "sandbox",
}


@pytest.mark.contract("C-005", "C-253")
@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("api", "/api/v1/platform/deployments"),
        ("api", "/api/v1/platform/{rest*}"),
        ("sandbox", "/api/v1/platform/{rest*}"),
        ("auth", "/v1/saml/{tenant}/metadata"),
        ("auth", "/v1/oauth/revoke"),
        ("auth", "/.well-known/oauth-authorization-server"),
        ("api", "/health/live"),
        ("docs", "/api/docs"),
        ("api", "/problems/{slug}"),
    ],
)
def test_internal_and_extension_paths_are_excluded_from_the_public_contract(host: str, path: str) -> None:
    assert is_denied(host, path)
    assert not is_public((host,), path)


@pytest.mark.contract("A-137")
def test_platform_routes_are_public_on_the_auth_host_and_not_on_the_api_host() -> None:
    assert is_public(("auth",), "/v1/platform/apps/{client_id}")
    assert not is_public(("api",), "/api/v1/platform/apps")
    assert not is_public(("auth", "docs"), "/v1/platform/apps"), "denied on one of its hosts"


def test_path_of_every_contract_sample_is_public() -> None:
    for sample in samples():
        assert is_public((HOST_OF[sample.host_url],), sample.path), sample.path
