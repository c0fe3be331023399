"""What can be refused about users."""

from cloud.foundation.errors import DomainError


class UserUnknown(DomainError):
    """There is no such user."""

    code = "user_unknown"
    status = 404


class UsernameMalformed(DomainError):
    """A user name has 1 to 254 Latin letters, digits and signs without spaces, for instance an e-mail address."""

    code = "username_malformed"
    status = 422


class PasswordUnfit(DomainError):
    """A password has 12 to 256 characters."""

    code = "password_unfit"
    status = 422


class RoleUnknown(DomainError):
    """A role is administrator or member, and a user has at least one."""

    code = "role_unknown"
    status = 422


class LevelExceeded(DomainError):
    """Nobody may add somebody who would see more than they do."""

    code = "secrecy_level_exceeded"
    status = 403


class NotOneself(DomainError):
    """This cannot be done to oneself; ask another administrator."""

    code = "not_oneself"
    status = 409


class SignInBusy(DomainError):
    """Too many people sign in at this moment; try again in a few seconds."""

    code = "sign_in_busy"
    status = 503


class SignInRefused(DomainError):
    """The user name or the password is wrong."""

    code = "sign_in_refused"
    status = 422


class CodeRefused(DomainError):
    """That code is not the present one, or it was used before. Wait for the next one."""

    code = "code_refused"
    status = 422


class SignInThrottled(DomainError):
    """Too many attempts failed. Wait a little before the next one."""

    code = "sign_in_throttled"
    status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s
        self.headers = {"Retry-After": str(wait_s)}
