"""What can be refused about gateways."""

from cloud.foundation.errors import DomainError


class GatewayUnknown(DomainError):
    """There is no such gateway."""

    code = "gateway_unknown"
    status = 404


class GatewayTaken(DomainError):
    """A gateway with this id is already registered; nothing was changed."""

    code = "gateway_taken"
    status = 409


class GatewayIdReserved(DomainError):
    """A gateway's id begins neither with `argus-cloud`, the cloud's own name at the broker, nor with a hyphen."""

    code = "gateway_id_reserved"
    status = 422


class PublicKeyMalformed(DomainError):
    """A gateway's public key is 32 bytes in base64, as `argus-gateway provision` prints it."""

    code = "public_key_malformed"
    status = 422


class GatewayRevoked(DomainError):
    """This gateway is revoked, which is final for its certificates; give it a new key with `gateways replace-key`."""

    code = "gateway_revoked"
    status = 409


class GatewayNotSuspended(DomainError):
    """This gateway is not suspended; nothing was changed."""

    code = "gateway_not_suspended"
    status = 409


class GatewayShutOut(DomainError):
    """This gateway is shut out, so no certificate is issued for it; resume it or replace its key first."""

    code = "gateway_shut_out"
    status = 409


class KeyUnchanged(DomainError):
    """The gateway already has this key; make another with `argus-gateway provision --new-key`."""

    code = "key_unchanged"
    status = 409


class KeyUsedBefore(DomainError):
    """This gateway had this key before it was replaced; make another with `argus-gateway provision --new-key`."""

    code = "key_used_before"
    status = 409


class AuthorityAbsent(DomainError):
    """There is no certificate authority; create one with `argus-cloud broker authority create`, or import yours."""

    code = "authority_absent"
    status = 409


class AuthorityTaken(DomainError):
    """There is a certificate authority already; a second one needs --another, and a restart of the broker."""

    code = "authority_taken"
    status = 409


class CertificateForeign(DomainError):
    """This certificate does not belong to this gateway."""

    code = "certificate_foreign"
    status = 422
