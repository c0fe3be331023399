"""A check uses the carrier's published interface, through the egress client, and never puts a secret into a URL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.foundation.egress import AllowList, Egress
from cloud.partners.telephony.carriers import CARRIERS
from cloud.partners.telephony.check import ProviderCheck
from cloud.partners.telephony.model import CheckOutcome
from tests.builders.carrier_stubs import CREDENTIALS, Carriers, SipGateway, carriers, sip_gateway
from tests.builders.egress_names import Names

HTTPS = [name for name, carrier in CARRIERS.items() if carrier.request is not None]
SECRET_FIELDS = ("api_password", "auth_token", "api_key", "password", "username", "api_username")


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Carriers]:
    async with carriers(tmp_path) as running:
        yield running


def trunk(port: int, protocol: str = "sip", **more: str) -> dict[str, str]:
    return {"protocol": protocol, "host": "sip.example", "port": str(port), **more}


@pytest.mark.contract("C-136")
@pytest.mark.parametrize("name", HTTPS)
async def test_carrier_accepts_its_credentials_and_refuses_others_without_a_secret_in_the_url(
    stub: Carriers, name: str
) -> None:
    check, given = ProviderCheck(stub.egress), CREDENTIALS[name]
    wrong = {
        key: value.replace("synthetic", "other") if "synthetic" in value else value for key, value in given.items()
    }
    if name == "twilio":
        wrong["auth_token"] = "2" * 32
    assert wrong != given
    assert await check.run(CARRIERS[name], given) is CheckOutcome.ACCEPTED
    assert await check.run(CARRIERS[name], wrong) is CheckOutcome.REFUSED
    secrets = [value for field, value in given.items() if field in SECRET_FIELDS]
    assert secrets
    assert not [path for _, _, path in stub.asked for secret in secrets if secret in path]


async def test_carrier_that_cannot_be_reached_is_unreachable(stub: Carriers) -> None:
    stub.egress.port = 1
    assert await ProviderCheck(stub.egress).run(CARRIERS["telnyx"], CREDENTIALS["telnyx"]) is CheckOutcome.UNREACHABLE


@pytest.mark.contract("C-136")
@pytest.mark.parametrize("protocol", ["sip", "sips"])
@pytest.mark.parametrize("algorithm", [None, "SHA-256", "MD5"])
async def test_sip_gateway_gets_options_over_tcp_or_tls_and_the_digest_that_it_requires(
    stub: Carriers, protocol: str, algorithm: str | None
) -> None:
    secret = None if algorithm is None else "synthetic-password"
    gateway = SipGateway(password=secret, algorithm=algorithm or "")
    async with sip_gateway(gateway, stub.served_tls if protocol == "sips" else None) as port:
        given = trunk(port, protocol, username="argus-1", password="synthetic-password")
        assert await ProviderCheck(stub.egress).run(CARRIERS["sip_iax2"], given) is CheckOutcome.ACCEPTED
    assert len(gateway.requests) == (1 if algorithm is None else 2)
    for number, head in enumerate(gateway.requests, 1):
        assert head.startswith(f"OPTIONS {protocol}:sip.example:{port} SIP/2.0\r\n")
        assert f"CSeq: {number} OPTIONS\r\n" in head
        assert "synthetic-password" not in head


@pytest.mark.parametrize(
    ("status", "password", "outcome"),
    [
        ("403 Forbidden", None, CheckOutcome.REFUSED),
        ("404 Not Found", None, CheckOutcome.UNEXPECTED),
        ("200 OK", "another password", CheckOutcome.REFUSED),
    ],
)
async def test_sip_gateway_that_does_not_accept_the_trunk_is_reported(
    stub: Carriers, status: str, password: str | None, outcome: CheckOutcome
) -> None:
    async with sip_gateway(SipGateway(status=status, password=password)) as port:
        given = trunk(port, username="argus-1", password="synthetic-password")
        assert await ProviderCheck(stub.egress).run(CARRIERS["sip_iax2"], given) is outcome


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", CheckOutcome.UNEXPECTED),
        (b"x" * 40_000, CheckOutcome.UNEXPECTED),
        (b"SIP/2.0 200 OK\r\nContent-Length: 99999\r\n\r\n", CheckOutcome.UNEXPECTED),
        (b"SIP/2.0 200 OK\r\nCall-ID: another\r\n\r\n" * 8, CheckOutcome.UNEXPECTED),
    ],
)
async def test_other_end_that_does_not_speak_sip_ends_the_check(
    stub: Carriers, reply: bytes, outcome: CheckOutcome
) -> None:
    async with sip_gateway(SipGateway(reply=reply)) as port:
        assert await ProviderCheck(stub.egress).run(CARRIERS["sip_iax2"], trunk(port)) is outcome


async def test_client_with_the_certificates_of_the_machine_reports_an_unknown_one_as_unreachable(
    stub: Carriers,
) -> None:
    egress = Egress(AllowList(), Names(sip_example=[["127.0.0.1"]]), judge=lambda address: True)
    async with sip_gateway(SipGateway(), stub.served_tls) as port:
        outcome = await ProviderCheck(egress).run(CARRIERS["sip_iax2"], trunk(port, "sips"))
    await egress.close()
    assert outcome is CheckOutcome.UNREACHABLE


async def test_gateway_is_reached_at_the_second_address_of_its_name() -> None:
    egress = Egress(AllowList(), Names(sip_example=[["127.0.0.2", "127.0.0.1"]]), judge=lambda address: True)
    async with sip_gateway(SipGateway()) as port:
        assert await ProviderCheck(egress).run(CARRIERS["sip_iax2"], trunk(port)) is CheckOutcome.ACCEPTED
    await egress.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.0.0.7", "localhost", "inside.example"])
async def test_sip_gateway_inside_the_network_is_never_connected(host: str) -> None:
    gateway = SipGateway()
    egress = Egress(AllowList(), Names(inside_example=[["127.0.0.1"]]))
    async with sip_gateway(gateway) as port:
        given = {**trunk(port), "host": host}
        assert await ProviderCheck(egress).run(CARRIERS["sip_iax2"], given) is CheckOutcome.UNREACHABLE
    await egress.close()
    assert gateway.requests == []


async def test_iax2_trunk_is_not_checked() -> None:
    egress = Egress(AllowList(), Names())
    outcome = await ProviderCheck(egress).run(CARRIERS["sip_iax2"], {"protocol": "iax2", "host": "pbx.example"})
    await egress.close()
    assert outcome is CheckOutcome.NOT_CHECKED
