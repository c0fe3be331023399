"""Users of a tenant: their roles, their passwords, whether they may still act."""

from cloud.access.identity.errors import SignInBusy, UserUnknown
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import Passwords
from cloud.access.identity.service import Users
from cloud.access.identity.store import UserStore

__all__ = ["Passwords", "Role", "SignInBusy", "User", "UserStore", "UserUnknown", "Users"]
