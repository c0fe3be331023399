"""Errors about users."""

from cloud.foundation.errors import PrivateError


class UserUnknown(PrivateError, code="user_unknown", status=404):
    """User not found."""


class UsernameMalformed(PrivateError, code="username_malformed", status=422):
    """A user name has 1 to 254 Latin letters, digits and signs without spaces, for instance an e-mail address."""


class PasswordUnfit(PrivateError, code="password_unfit", status=422):
    """A password has 12 to 256 characters."""


class RoleUnknown(PrivateError, code="role_unknown", status=422):
    """A user needs at least one of the roles administrator and member."""


class LevelExceeded(PrivateError, code="secrecy_level_exceeded", status=403):
    """A user cannot be given a higher secrecy level than that of the administrator who adds the user."""


class NotOneself(PrivateError, code="not_oneself", status=409):
    """Administrators cannot do this to their own account. Contact another administrator."""


class SignInBusy(PrivateError, code="sign_in_busy", status=503):
    """Too many people are signing in. Try again in a few seconds."""


class SignInRefused(PrivateError, code="sign_in_refused", status=422):
    """The user name or the password is wrong."""


class CodeRefused(PrivateError, code="code_refused", status=422):
    """The code is wrong, expired or already used. Enter another code."""


class SignInThrottled(PrivateError, code="sign_in_throttled", status=429):
    """Too many failed attempts. Wait before the next one."""

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s
        self.headers = {"Retry-After": str(wait_s)}
