"""The crew page over TLS: tablets with and without the vehicle's authority, and hostile connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from playwright.async_api import Error, expect

from gateway.app import Gateway
from gateway.cli.provision import provisioned
from gateway.crew.doorway import ADDRESS_OPENING_MAX, HANDSHAKES, OPENING_S_MAX
from gateway.crew.server_certificate import ServerCertificates
from gateway.crew.welcome import AUTHORITY_PATH
from gateway.security.identity import Identity
from gateway.security.secret_store import SecretStore
from gateway.security.vehicle_authority import VehicleAuthority
from gateway.sessions.clocks.trusted_clock import BUILD_US, TrustedClock
from gateway.settings import load
from gateway.transports.clock import SystemClock
from simulators.demo.free_ports import free_port
from tests.harness.browser import chromium, install_authority
from tests.harness.crew_app import PIN, new_crew_app, serving
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.moved_clock import MovedClock


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    secrets = SecretStore(tmp_path_factory.mktemp("identity"), b"k" * 32, gateway="gw_test")
    now_us = TrustedClock(SystemClock()).wall_us()
    return VehicleAuthority.create(secrets, "veh_1", [], now_us=now_us, built_us=BUILD_US)


@asynccontextmanager
async def tls_page(authority, clock=None) -> AsyncIterator[int]:
    """Serve the crew page over TLS on the loopback address; yield its port."""
    certificates = ServerCertificates(
        authority, frozenset(), TrustedClock(SystemClock()), addresses=lambda: frozenset({"127.0.0.1"})
    )
    app = new_crew_app(clock=clock, tls=certificates)
    async with serving(app):
        yield app.port


def trusting(authority):
    return aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority.der))


def test_certificate_is_renewed_after_the_clock_was_set_back(authority):
    day_us, now_us = 86_400_000_000, TrustedClock(SystemClock()).wall_us()
    clock = MovedClock(wall_us=now_us + 400 * day_us)
    certificates = ServerCertificates(
        authority, frozenset(), TrustedClock(clock, disciplined=lambda: 0), addresses=lambda: frozenset()
    )
    assert certificates.refresh()
    assert not certificates.refresh()
    clock.set_wall_us(now_us)
    assert certificates.refresh()
    assert not certificates.refresh()


async def test_session_cookies_are_bound_to_the_host_and_sent_over_tls_only(authority):
    async with tls_page(authority) as port, aiohttp.ClientSession(connector=trusting(authority)) as tablet:
        url = f"https://127.0.0.1:{port}"
        async with tablet.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False) as reply:
            assert reply.status == 303
            assert set(reply.cookies) >= {"__Host-argus_crew", "__Host-argus_tablet"}
            assert all(each["secure"] and each["path"] == "/" for each in reply.cookies.values())
            assert "Strict-Transport-Security" not in reply.headers


async def test_client_that_does_not_trust_the_authority_gets_no_page(authority):
    async with tls_page(authority) as port, aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(f"https://127.0.0.1:{port}/")


async def test_plain_http_serves_only_the_page_that_offers_the_authority(authority):
    async with tls_page(authority) as port, aiohttp.ClientSession() as tablet:
        url = f"http://127.0.0.1:{port}"
        async with tablet.get(url) as page:
            text = await page.text()
            assert page.status == 200
            assert authority.fingerprint in text
            assert f"https://127.0.0.1:{port}/" in text
        async with tablet.get(f"{url}{AUTHORITY_PATH}") as offered:
            assert await offered.read() == authority.der
            assert offered.content_type == "application/x-x509-ca-cert"
        for method, path in (("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/live"), ("GET", "/reports/1")):
            async with tablet.request(method, f"{url}{path}", allow_redirects=False) as reply:
                assert (reply.status, reply.headers["Location"]) == (308, f"https://127.0.0.1:{port}{path}")
                assert not reply.cookies
        async with tablet.get(url, headers={"Host": "attacker.example"}) as refused:
            assert refused.status == 421


async def test_connections_without_a_handshake_are_limited_and_closed(authority):
    clock = MovedClock()
    async with tls_page(authority, clock) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * ADDRESS_OPENING_MAX)]
        ended = lambda: sum(reader.at_eof() for reader, _ in held)  # noqa: E731  used twice
        await eventually(lambda: ended() == 2 * ADDRESS_OPENING_MAX, what="the excess is closed")
        sign_in = f"https://127.0.0.1:{port}/sign-in"
        async with aiohttp.ClientSession(connector=trusting(authority)) as tablet, tablet.get(sign_in) as page:
            assert page.status == 200
        await clock.advance(OPENING_S_MAX)
        await eventually(lambda: ended() == len(held), what="silent connections are closed")
        for _, writer in held:
            writer.transport.abort()


async def test_handshakes_of_one_address_have_a_rate_and_others_are_served(authority):
    clock = MovedClock()
    async with tls_page(authority, clock) as port:
        for _ in range(HANDSHAKES.burst):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
        sign_in = f"https://127.0.0.1:{port}/sign-in"
        async with aiohttp.ClientSession(connector=trusting(authority)) as tablet:
            with pytest.raises(aiohttp.ClientConnectionError):
                await tablet.get(sign_in)
        other = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0), ssl=ssl.create_default_context(cadata=authority.der))
        async with aiohttp.ClientSession(connector=other) as tablet, tablet.get(sign_in) as page:
            assert page.status == 200
        await clock.advance(HANDSHAKES.every_s)
        async with aiohttp.ClientSession(connector=trusting(authority)) as tablet, tablet.get(sign_in) as page:
            assert page.status == 200


async def test_gateway_that_starts_in_1970_serves_the_page_over_tls_to_a_tablet_with_the_right_time(tmp_path):
    port, stop = free_port(), asyncio.Event()
    vehicle = Vehicle(tmp_path, more_settings=f'[crew]\nlisten = "0.0.0.0:{port}"\nmdns = false\n')
    settings = load(vehicle.config)
    pin = provisioned(settings).crew_pin
    running = asyncio.create_task(Gateway(settings, clock=MovedClock(wall_us=0)).run(stop))
    try:
        identity = Identity.load(settings.identity_dir)
        made = await eventually(lambda: running.done() or VehicleAuthority.load(identity.secrets), what="the authority")
        assert isinstance(made, VehicleAuthority)
        url = f"https://127.0.0.1:{port}/sign-in"
        async with aiohttp.ClientSession(connector=trusting(made)) as tablet:

            async def sign_in() -> int:
                with suppress(aiohttp.ClientConnectionError):
                    async with tablet.post(url, data={"pin": pin}, allow_redirects=False) as reply:
                        return reply.status
                return 0

            assert await eventually(sign_in, what="the crew page") == 303
    finally:
        stop.set()
        await running


@pytest.mark.browser
@pytest.mark.parametrize("trusts", [True, False], ids=["installed", "not installed"])
async def test_browser_opens_the_page_by_name_after_it_installed_the_authority(authority, tmp_path, trusts: bool):
    install_authority(tmp_path, authority.der if trusts else None)
    async with tls_page(authority) as port:
        flags = ["--host-resolver-rules=MAP argus.local 127.0.0.1"]
        async with chromium(flags=flags, home=tmp_path) as browser:
            page = await browser.new_page()
            await page.goto(f"http://argus.local:{port}/")
            await expect(page.get_by_text(authority.fingerprint)).to_be_visible()
            opening = page.goto(f"https://argus.local:{port}/")
            if not trusts:
                with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
                    await opening
                return
            await opening
            for digit in PIN:
                await page.get_by_role("button", name=digit, exact=True).click()
            await page.get_by_role("button", name="Enter").click()
            await page.wait_for_url(f"https://argus.local:{port}/")
            names = {each["name"] for each in await page.context.cookies()}
            assert "__Host-argus_crew" in names
            ready = "navigator.serviceWorker.ready.then((registration) => registration.scope)"
            assert await page.evaluate(ready) == f"https://argus.local:{port}/"
