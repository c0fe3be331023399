"""The use cases of signing in, without the pages."""

from cloud.access.audit import Audit
from cloud.access.identity import Passwords, Users
from cloud.access.identity.sign_in import SecondFactorPolicy, SignIn
from tests.builders.auth_world import MASTER, AuthWorld


def sign_in_of(world: AuthWorld, *, full: bool = False) -> SignIn:
    """Return the use cases of signing in. `full`: all slots for examining passwords are taken."""
    passwords = Passwords(threads=1, waiting_max=-1 if full else 20)
    users = Users(world.database, world.clock, world.ids, passwords)
    return SignIn(world.database, world.clock, users, Audit(world.clock), lambda: MASTER, SecondFactorPolicy.OPTIONAL)
