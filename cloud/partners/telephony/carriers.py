"""The carriers as rows of one table: their credentials, the form of their numbers, and how to check an account.

A check reads the account itself from the carrier's published interface, which costs and changes nothing. The
secrets travel in a header or in the body of the request, never in its URL.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

import orjson

from cloud.partners.telephony.errors import ProviderMalformed
from cloud.partners.telephony.numbers import nanp, with_plus, without_plus

Credentials = Mapping[str, str]
VALUE_LENGTH_MAX = 256
_PRINTABLE = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
_HEX_TOKEN = re.compile(r"[0-9a-f]{32}")
_API_KEY = re.compile(r"KEY[!-~]{10,}")
_AUTH_ID = re.compile(r"[MS]A[A-Z0-9]{18}")
_ACCOUNT_NUMBER = re.compile(r"[0-9]{1,12}")
_PROTOCOL = re.compile(r"sips?|iax2")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]")
_TRUNK = re.compile(r"[A-Za-z0-9_.+-]{1,64}")


class Capability(StrEnum):
    """An ability of a carrier."""

    VOICE = "voice"
    MESSAGES = "messages"
    SUBACCOUNTS = "subaccounts"


@dataclass(frozen=True, slots=True)
class CredentialField:
    """A credential that a carrier needs. `hint` describes its form for an error message, which never has the value."""

    name: str
    pattern: re.Pattern[str]
    hint: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """A request to a carrier that shows whether the credentials are valid."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A row of the table. `request` makes the request of a check, None if the carrier has no HTTP interface.
    `accepts` returns whether the body of a 200 confirms the account. `number` writes an E.164 number as the carrier
    does, and raises `RouteMalformed` for a number that the carrier cannot have."""

    name: str
    title: str
    fields: tuple[CredentialField, ...]
    number: Callable[[str], str]
    capabilities: frozenset[Capability]
    request: Callable[[Credentials], AccountRequest] | None = None
    accepts: Callable[[bytes], bool] = lambda body: True

    def check_credentials(self, given: Credentials) -> None:
        """Raise `ProviderMalformed` if a credential is missing, unknown or has another form."""
        unknown = sorted(given.keys() - {field.name for field in self.fields})
        if unknown:
            known = ", ".join(field.name for field in self.fields)
            raise ProviderMalformed(f"({self.title} has the credentials {known}.)")
        for field in self.fields:
            value = given.get(field.name)
            if value is None:
                if field.required:
                    raise ProviderMalformed(f"({self.title} needs {field.name}: {field.hint}.)")
            elif len(value) > VALUE_LENGTH_MAX or field.pattern.fullmatch(value) is None:
                raise ProviderMalformed(f"({field.name} of {self.title} is {field.hint}.)")


def _secret(name: str, hint: str, *, required: bool = True) -> CredentialField:
    return CredentialField(name, _PRINTABLE, f"{hint}, printable characters without spaces", required)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def _get(url: str, headers: Mapping[str, str]) -> AccountRequest:
    return AccountRequest("GET", url, {"Accept": "application/json", **headers})


def _voip_ms(given: Credentials) -> AccountRequest:
    form = {"api_username": given["api_username"], "api_password": given["api_password"], "method": "getBalance"}
    return AccountRequest(
        "POST",
        "https://voip.ms/api/v1/rest.php",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(form).encode(),
    )


def _is_success(body: bytes) -> bool:
    """Return whether a response of VoIP.ms, which has the status 200 also for errors, confirms the account."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.get("status") == "success"


_ALL = frozenset(Capability)
_WITHOUT_SUBACCOUNTS = _ALL - {Capability.SUBACCOUNTS}

CARRIERS: Mapping[str, Carrier] = {
    one.name: one
    for one in (
        Carrier(
            "voip_ms",
            "VoIP.ms",
            (
                CredentialField("api_username", _ADDRESS, "the e-mail address of the account"),
                _secret("api_password", "the password of the API"),
            ),
            nanp,
            _ALL,
            _voip_ms,
            _is_success,
        ),
        Carrier(
            "twilio",
            "Twilio",
            (
                CredentialField("account_sid", _ACCOUNT_SID, "AC and 32 hexadecimal digits"),
                CredentialField("auth_token", _HEX_TOKEN, "32 hexadecimal digits"),
            ),
            with_plus,
            _ALL,
            lambda given: _get(
                f"https://api.twilio.com/2010-04-01/Accounts/{given['account_sid']}.json",
                _basic(given["account_sid"], given["auth_token"]),
            ),
        ),
        Carrier(
            "telnyx",
            "Telnyx",
            (CredentialField("api_key", _API_KEY, "the API key, which begins with KEY"),),
            with_plus,
            _WITHOUT_SUBACCOUNTS,
            lambda given: _get("https://api.telnyx.com/v2/balance", {"Authorization": f"Bearer {given['api_key']}"}),
        ),
        Carrier(
            "plivo",
            "Plivo",
            (
                CredentialField("auth_id", _AUTH_ID, "MA or SA, and 18 capital letters or digits"),
                _secret("auth_token", "the token of the account"),
            ),
            without_plus,
            _ALL,
            lambda given: _get(
                f"https://api.plivo.com/v1/Account/{given['auth_id']}/", _basic(given["auth_id"], given["auth_token"])
            ),
        ),
        Carrier(
            "bandwidth",
            "Bandwidth",
            (
                CredentialField("account_id", _ACCOUNT_NUMBER, "the number of the account"),
                _secret("username", "the name of an API user"),
                _secret("password", "the password of the API user"),
            ),
            with_plus,
            _WITHOUT_SUBACCOUNTS,
            lambda given: _get(
                f"https://dashboard.bandwidth.com/api/accounts/{given['account_id']}",
                {**_basic(given["username"], given["password"]), "Accept": "application/xml"},
            ),
        ),
        Carrier(
            "sip_iax2",
            "SIP or IAX2 gateway",
            (
                CredentialField("protocol", _PROTOCOL, "sip (over TCP), sips (over TLS) or iax2"),
                CredentialField("host", _HOST, "the name or address of the gateway, an IPv6 address in brackets"),
                CredentialField("port", _PORT, "a port from 1 to 65535", required=False),
                CredentialField("username", _TRUNK, "the name of the trunk", required=False),
                _secret("password", "the password of the trunk", required=False),
            ),
            with_plus,
            frozenset({Capability.VOICE, Capability.SUBACCOUNTS}),
        ),
    )
}
"""Every carrier that a tenant can configure, by name."""


def carrier_of(name: str) -> Carrier:
    """Return a carrier. Raises `ProviderMalformed` for an unknown name."""
    try:
        return CARRIERS[name]
    except KeyError:
        raise ProviderMalformed(f"(The carriers are {', '.join(CARRIERS)}.)") from None
