"""Errors about gateways."""

from cloud.foundation.errors import PrivateError


class GatewayUnknown(PrivateError, code="gateway_unknown", status=404):
    """Gateway not found."""


class GatewayTaken(PrivateError, code="gateway_taken", status=409):
    """A gateway with this id is registered. Nothing was changed."""


class GatewayIdReserved(PrivateError, code="gateway_id_reserved", status=422):
    """A gateway's id begins neither with `argus-cloud`, the cloud's own name at the broker, nor with a hyphen."""


class PublicKeyMalformed(PrivateError, code="public_key_malformed", status=422):
    """A gateway's public key is 32 bytes in base64, as `argus-gateway provision` prints it."""


class GatewayRevoked(PrivateError, code="gateway_revoked", status=409):
    """The gateway is revoked, which is final for its certificates. Give it a new key with `gateways replace-key`."""


class GatewayNotSuspended(PrivateError, code="gateway_not_suspended", status=409):
    """The gateway is not suspended. Nothing was changed."""


class GatewayShutOut(PrivateError, code="gateway_shut_out", status=409):
    """The gateway is suspended or revoked, so no certificate is issued. Resume it or replace its key first."""


class KeyUnchanged(PrivateError, code="key_unchanged", status=409):
    """The gateway already has this key. Make another with `argus-gateway provision --new-key`."""


class KeyUsedBefore(PrivateError, code="key_used_before", status=409):
    """The gateway used this key before. Make another with `argus-gateway provision --new-key`."""


class AuthorityAbsent(PrivateError, code="authority_absent", status=409):
    """There is no certificate authority. Create one with `argus-cloud broker authority create`, or import yours."""


class AuthorityTaken(PrivateError, code="authority_taken", status=409):
    """A certificate authority exists. A second one needs --another and a restart of the broker."""


class CertificateForeign(PrivateError, code="certificate_foreign", status=422):
    """The certificate does not belong to this gateway."""


class DoorOpen(PrivateError, code="door_open", status=503):
    """The cloud refuses the gateway, but the broker could not be updated. Run the command again."""


class RabbitmqUnusable(PrivateError, code="rabbitmq_unusable", status=503):
    """RabbitMQ's management listener cannot be used. Check [rabbitmq] management_url, the password and the nodes."""


class RabbitmqIncomplete(PrivateError, code="rabbitmq_incomplete", status=503):
    """The RabbitMQ cluster is not complete. Start all its nodes, then run `argus-cloud broker declare` again."""
