"""Users of a tenant: their roles, their passwords, whether they may still act."""

from cloud.identity.errors import SignInBusy, UserUnknown
from cloud.identity.model import Role, User
from cloud.identity.passwords import Passwords
from cloud.identity.service import Users
from cloud.identity.store import UserStore

__all__ = ["Passwords", "Role", "SignInBusy", "User", "UserStore", "UserUnknown", "Users"]
