"""Areas that need an approval, at the level that the contract allows: what they are and for whom (contract C-276,
C-283). Their paths, operations and schemas are on no public page."""

from typing import NamedTuple

from cloud.foundation.http import Audience, Stability


class OnRequest(NamedTuple):
    """An area, its readers, and a sentence about it in English and Polish."""

    title: tuple[str, str]
    audience: Audience
    about: tuple[str, str]
    stability: Stability = Stability.ON_REQUEST


AREAS = (
    OnRequest(
        ("Platform control-plane APIs", "API sterowania platformą"),
        Audience.PARTNERS,
        (
            "Workflows that control the platform, such as delivering releases and running automations. Available in "
            "approved partner and customer programmes.",
            "Procesy sterujące platformą, na przykład wdrażanie wydań i automatyzacje. Dostępne w ramach "
            "zatwierdzonych programów partnerskich i programów dla klientów.",
        ),
    ),
    OnRequest(
        ("Curated GraphQL operation bundles", "Wybrane zestawy operacji GraphQL"),
        Audience.PARTNERS,
        (
            "A few GraphQL operations for one approved workflow, instead of the whole schema.",
            "Kilka operacji GraphQL przygotowanych dla jednego zatwierdzonego procesu zamiast całego schematu.",
        ),
    ),
    OnRequest(
        ("Enterprise federation and SAML", "Federacja tożsamości i SAML"),
        Audience.ADMINISTRATORS,
        (
            "Sign-in with your organisation's identity provider, set up together with us.",
            "Logowanie przez dostawcę tożsamości Twojej organizacji, konfigurowane wspólnie z nami.",
        ),
    ),
    OnRequest(
        ("Telephony provider configuration", "Konfiguracja telefonii"),
        Audience.PARTNERS,
        (
            "The telephone carriers of a tenant, and the subsystem that receives the calls to each of its numbers.",
            "Operatorzy telefoniczni tenanta i podsystem, który odbiera połączenia na dany numer.",
        ),
        Stability.STABLE,  # on request and stable: the contract is stable, and the access is granted
    ),
)
