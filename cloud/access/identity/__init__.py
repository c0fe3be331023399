"""The users of a tenant: roles, passwords, second factors, sessions, and disabling a user."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.access.identity.authenticator_page import AuthenticatorHandlers
    from cloud.access.identity.errors import SignInBusy, UsernameMalformed, UserUnknown
    from cloud.access.identity.handlers import SignInHandlers
    from cloud.access.identity.model import Role, User
    from cloud.access.identity.password_page import PasswordHandlers
    from cloud.access.identity.passwords import Passwords, new_password
    from cloud.access.identity.recovery_page import RecoveryCodeHandlers
    from cloud.access.identity.routes import sign_in_rows
    from cloud.access.identity.service import Users
    from cloud.access.identity.sessions import Session
    from cloud.access.identity.settings import SignInSection
    from cloud.access.identity.sign_in import SecondFactorPolicy, SignIn, actor_of
    from cloud.access.identity.store import UserStore
    from cloud.access.identity.usernames import folded
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    jobs="jobs:jobs",
    tables="tables",
    settings={"sign_in": "settings:SignInSection"},
    commands={"users": "cli:users"},
)
