"""The check of outbound URLs, by the text of the URL and by the addresses to which its host name resolves."""

from ipaddress import ip_address

import pytest

from cloud.foundation.egress import AllowList, Egress, UrlBlocked, UrlMalformed, read_target
from cloud.foundation.egress.addresses import is_public
from tests.builders.egress_names import PUBLIC, Names

NOBODY = AllowList()

INSIDE = (
    "127.0.0.1",
    "localhost",
    "[::1]",
    "0.0.0.0",  # noqa: S104  a host to refuse, nothing binds to it
    "169.254.169.254",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "[fd00::1]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "[::]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[ff02::1]",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "１２７.0.0.1",
    "LOCALHOST",
    "box.localhost",
    "printer.local",
    "metadata.google.internal",
    "intranet",
    "localhost.",
    "receiver.example.",
    "127.0.0.1.",
    "receiver.example.8",
    "-.example",
    "ex%61mple.com",
)


@pytest.mark.contract("S-091", "A-063")
@pytest.mark.parametrize("host", INSIDE)
def test_url_with_an_internal_ambiguous_or_malformed_host_is_blocked(host: str):
    for port in ("", ":8443", ":9000"):
        with pytest.raises(UrlBlocked):
            read_target(f"https://{host}{port}/hook", NOBODY)


@pytest.mark.contract("S-090", "A-063")
@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "gopher://receiver.example:8443/",
        "https://user:pw@receiver.example/",
        "https://user@receiver.example/",
        "https://@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example/#",
        *(
            f"https://receiver.example:{port}/"
            for port in (1, 22, 25, 80, 444, 1023, 3306, 5432, 6379, 9200, 11211, 27017)
        ),
        "",
        "receiver.example",
        "//receiver.example/",
        "https://",
        "https:///hook",
        "https://receiver.example:99999/",
        "https://receiver.example\\@127.0.0.1/",
        "https://receiver.example/a b",
        "https://receiver.example/\r\nX-Injected: 1",
        "https://receiver.example\u2028/",
        "https://[::1/",
        "javascript:alert(1)",
        "https://receiver.example/" + "a" * 2048,
    ],
)
def test_url_without_https_or_with_user_info_or_fragment_or_forbidden_port_is_refused(url: str):
    with pytest.raises((UrlBlocked, UrlMalformed)) as caught:
        read_target(url, NOBODY)
    assert caught.value.status in (400, 422)


@pytest.mark.contract("A-063", "C-075")
@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://integrator.example/webhooks/argus", "integrator.example", 443),
        ("https://Integrator.Example:8443/a?b=c%20d", "integrator.example", 8443),
        ("https://integrator.example:1024/", "integrator.example", 1024),
        ("https://bücher.example/ü", "xn--bcher-kva.example", 443),
        (f"https://{PUBLIC}/", PUBLIC, 443),
        ("https://[2606:2800:220:1::1]:9443/", "2606:2800:220:1::1", 9443),
    ],
)
def test_https_url_of_a_public_host_is_accepted(url: str, host: str, port: int):
    target = read_target(url, NOBODY)
    assert (target.host, target.port, target.permitted) == (host, port, False)


@pytest.mark.contract("A-063")
def test_allow_list_entry_permits_only_its_exact_host_and_port():
    allowed = AllowList([("127.0.0.1", 9000), ("::1", 9001), ("Crm.Internal", 80)])
    for url in ("http://127.0.0.1:9000/hook", "https://127.0.0.1:9000/", "http://[::1]:9001/", "http://crm.internal/"):
        assert read_target(url, allowed).permitted
    for url in (
        "http://127.0.0.1:9001/",
        "http://localhost:9000/",
        "http://127.1:9000/",
        "http://2130706433:9000/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://user@127.0.0.1:9000/",
        "http://127.0.0.1:9000/#x",
        "ftp://127.0.0.1:9000/",
        "https://crm.internal/",
        "http://other.crm.internal/",
    ):
        with pytest.raises((UrlBlocked, UrlMalformed)):
            read_target(url, allowed)


@pytest.mark.contract("S-091", "A-063")
async def test_host_name_that_resolves_to_any_non_public_address_is_blocked():
    names = Names(
        good_example=[[PUBLIC, "2606:2800:220:1::1"]], bad_example=[["10.0.0.1"]], mixed_example=[[PUBLIC, "::1"]]
    )
    egress = Egress(NOBODY, names)
    assert (await egress.judge("https://good.example/")).host == "good.example"
    for host in ("bad.example", "mixed.example"):
        with pytest.raises(UrlBlocked):
            await egress.judge(f"https://{host}/")


async def test_host_name_that_does_not_resolve_is_accepted_and_resolved_again_at_each_request():
    names = Names()
    egress = Egress(NOBODY, names)
    assert (await egress.judge("https://integrator.example/webhooks/argus")).host == "integrator.example"
    answer = await egress.request("POST", "https://integrator.example/webhooks/argus", headers={}, body=b"{}")
    assert getattr(answer, "reason", None) == "dns_failure"
    assert names.asked == ["integrator.example"] * 2
    await egress.close()


def test_ipv6_transition_and_multicast_and_reserved_addresses_are_not_public():
    for text in ("64:ff9b::808:808", "::8.8.8.8", "2002:808:808::", "ff0e::1", "3fff::1", "192.0.0.192", "240.0.0.1"):
        assert not is_public(ip_address(text)), text
    for text in ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "193.0.6.139"):
        assert is_public(ip_address(text)), text
