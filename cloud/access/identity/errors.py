"""Errors about users."""

from cloud.foundation.errors import PrivateError


class UserUnknown(PrivateError):
    """User not found."""

    code = "user_unknown"
    status = 404


class UsernameMalformed(PrivateError):
    """A user name has 1 to 254 Latin letters, digits and signs without spaces, for instance an e-mail address."""

    code = "username_malformed"
    status = 422


class PasswordUnfit(PrivateError):
    """A password has 12 to 256 characters."""

    code = "password_unfit"
    status = 422


class RoleUnknown(PrivateError):
    """A user needs at least one of the roles administrator and member."""

    code = "role_unknown"
    status = 422


class LevelExceeded(PrivateError):
    """A user cannot be given a higher secrecy level than that of the administrator who adds the user."""

    code = "secrecy_level_exceeded"
    status = 403


class NotOneself(PrivateError):
    """Administrators cannot do this to their own account. Ask another administrator."""

    code = "not_oneself"
    status = 409


class SignInBusy(PrivateError):
    """Too many people are signing in. Try again in a few seconds."""

    code = "sign_in_busy"
    status = 503


class SignInRefused(PrivateError):
    """The user name or the password is wrong."""

    code = "sign_in_refused"
    status = 422


class CodeRefused(PrivateError):
    """The code is wrong, expired or already used. Enter the next code."""

    code = "code_refused"
    status = 422


class SignInThrottled(PrivateError):
    """Too many failed attempts. Wait before the next one."""

    code = "sign_in_throttled"
    status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s
        self.headers = {"Retry-After": str(wait_s)}
