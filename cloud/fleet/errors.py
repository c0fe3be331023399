"""What can be refused about gateways."""

from cloud.errors import DomainError


class GatewayUnknown(DomainError):
    """There is no such gateway."""

    code = "gateway_unknown"
    status = 404


class GatewayTaken(DomainError):
    """A gateway with this id is already registered; nothing was changed."""

    code = "gateway_taken"
    status = 409


class PublicKeyMalformed(DomainError):
    """A gateway's public key is 32 octets in base64, as `argus-gateway provision` prints it."""

    code = "public_key_malformed"
    status = 422
