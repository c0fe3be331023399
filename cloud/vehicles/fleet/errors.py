"""Errors about gateways."""

from cloud.foundation.errors import PrivateError


class GatewayUnknown(PrivateError):
    """Gateway not found."""

    code = "gateway_unknown"
    status = 404


class GatewayTaken(PrivateError):
    """A gateway with this id is registered. Nothing was changed."""

    code = "gateway_taken"
    status = 409


class GatewayIdReserved(PrivateError):
    """A gateway's id begins neither with `argus-cloud`, the cloud's own name at the broker, nor with a hyphen."""

    code = "gateway_id_reserved"
    status = 422


class PublicKeyMalformed(PrivateError):
    """A gateway's public key is 32 bytes in base64, as `argus-gateway provision` prints it."""

    code = "public_key_malformed"
    status = 422


class GatewayRevoked(PrivateError):
    """The gateway is revoked, which is final for its certificates. Give it a new key with `gateways replace-key`."""

    code = "gateway_revoked"
    status = 409


class GatewayNotSuspended(PrivateError):
    """The gateway is not suspended. Nothing was changed."""

    code = "gateway_not_suspended"
    status = 409


class GatewayShutOut(PrivateError):
    """The gateway is suspended or revoked, so no certificate is issued. Resume it or replace its key first."""

    code = "gateway_shut_out"
    status = 409


class KeyUnchanged(PrivateError):
    """The gateway already has this key. Make another with `argus-gateway provision --new-key`."""

    code = "key_unchanged"
    status = 409


class KeyUsedBefore(PrivateError):
    """The gateway used this key before. Make another with `argus-gateway provision --new-key`."""

    code = "key_used_before"
    status = 409


class AuthorityAbsent(PrivateError):
    """There is no certificate authority. Create one with `argus-cloud broker authority create`, or import yours."""

    code = "authority_absent"
    status = 409


class AuthorityTaken(PrivateError):
    """A certificate authority exists. A second one needs --another and a restart of the broker."""

    code = "authority_taken"
    status = 409


class CertificateForeign(PrivateError):
    """The certificate does not belong to this gateway."""

    code = "certificate_foreign"
    status = 422


class DoorOpen(PrivateError):
    """The cloud refuses the gateway, but the broker could not be updated. Run the command again."""

    code = "door_open"
    status = 503
