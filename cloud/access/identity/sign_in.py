"""Sign-in: the password, and after it the second factor if one is required. The `Stage` of a session is its next step.

A user who has a second factor must always use it. The policy of the installation decides which users must have a second
factor: by default, administrators. A user who must have one, but has none, sets it up at the next sign-in, directly
after the password.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cloud.access.audit import Audit, Outcome
from cloud.access.identity import recovery_codes, second_factor
from cloud.access.identity.errors import CodeRefused, SignInBusy, SignInRefused, SignInThrottled, UsernameMalformed
from cloud.access.identity.lockout import (
    SECOND_US,
    CountedAttempt,
    FailureStore,
    Subject,
    password_again_of,
    second_factor_of,
    subjects_of,
)
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import checked
from cloud.access.identity.recovery_codes import RecoveryCodeStore
from cloud.access.identity.second_factor import SecondFactorStore
from cloud.access.identity.service import Users
from cloud.access.identity.sessions import SEEN_EVERY_US, Session, SessionStore, digest_of, new_secret
from cloud.access.identity.store import UserStore
from cloud.access.identity.usernames import folded
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.trace import TraceContext
from cloud.foundation.viewer import Actor

OWN_CHANGE = "user.change_password"


class Stage(StrEnum):
    """The step of sign-in that a session must complete next. `COMPLETE`: the sign-in has no further step."""

    CODE = "code"  # the user must enter the code of the second factor
    SET_UP = "set_up"  # the user must set up a second factor
    COMPLETE = "complete"


class SecondFactorPolicy(StrEnum):
    """The rule that decides which users must have a second factor."""

    OPTIONAL = "optional"  # no user must have one; a user who has one must use it
    ADMINISTRATORS = "administrators"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session and the values of two cookies, which no later call returns: `secret` is the value of the session
    cookie, `browser` the value of the browser cookie."""

    session: Session
    secret: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecondFactorSetUp:
    """The new cookie value of a session (`secret`) and a user's new recovery codes. No later call returns them."""

    secret: str = field(repr=False)
    recovery_codes: tuple[str, ...] = field(repr=False)


class SignIn:
    """Operations of sign-in. The function `master` returns the master key, and is called only to seal or unseal a
    second factor."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        users: Users,
        audit: Audit,
        master: Callable[[], MasterKey],
        policy: SecondFactorPolicy = SecondFactorPolicy.ADMINISTRATORS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._users = users
        self._audit = audit
        self._master = master
        self._policy = policy
        self._sessions = SessionStore()
        self._failures = FailureStore()
        self._factors = SecondFactorStore()
        self._recovery = RecoveryCodeStore()
        self._people = UserStore()

    async def attempt(
        self, username: str, password: str, address: str, browser: str | None, trace: TraceContext
    ) -> SignedIn:
        """Verify a user name and password and begin a session. `address`: the class of the client's address (the IPv4
        address or IPv6 /64 network). `browser`: the value of the browser cookie, if any. Raises `SignInRefused`,
        `SignInThrottled`, `SignInBusy`."""
        try:
            name = folded(username)
        except UsernameMalformed:
            name = ""  # counted and checked like a name that does not exist
        async with self._database.read() as tx:
            now_us = self._clock.now_us()
            known = browser is not None and await self._sessions.knows(tx, browser, name, now_us)
            subjects = subjects_of(name, address, browser if known else None)
            await self._check_wait(tx, subjects, now_us)
        counted = await self._count(subjects)
        user = await self._authenticate(username, password, counted)
        if user is None:
            await self._record_refused(name, trace)
            raise SignInRefused
        secret, fresh_browser = new_secret(), new_secret()
        async with self._database.transaction() as tx:
            now_us = self._clock.now_us()
            await self._failures.succeeded(tx, counted, now_us)
            await self._sessions.begin(tx, secret, user.id, now_us)
            await self._sessions.know(tx, fresh_browser, user.id, now_us)
            await self._audit.record(tx, actor_of(user, trace), "user.sign_in", user.id)
        return SignedIn(Session(user, digest_of(secret), now_us, None), secret, fresh_browser)

    async def session(self, secret: str | None) -> Session | None:
        """Return the session with this cookie value, whatever step of sign-in comes next, or None if no session has
        this value."""
        if secret is None:
            return None
        now_us = self._clock.now_us()
        async with self._database.read() as tx:
            found = await self._sessions.find(tx, secret, now_us)
        if found is None:
            return None
        session, seen_us = found
        if now_us - seen_us >= SEEN_EVERY_US:
            async with self._database.transaction() as tx:
                await self._sessions.seen(tx, session.digest, now_us)
        return session

    def stage(self, session: Session) -> Stage:
        """Return the step of sign-in that the session must complete next."""
        if session.second_factor_at_us is not None:
            return Stage.COMPLETE
        if session.user.has_second_factor:
            return Stage.CODE
        return Stage.SET_UP if self._must_have(session.user) else Stage.COMPLETE

    def _must_have(self, user: User) -> bool:
        if self._policy is SecondFactorPolicy.ADMINISTRATORS:
            return Role.ADMINISTRATOR in user.roles
        return self._policy is SecondFactorPolicy.EVERYBODY

    async def give_code(self, session: Session, code: str, trace: TraceContext) -> str:
        """Verify the second factor of a session (six digits or a recovery code); return the session's new cookie value.
        Raises `CodeRefused`, `SignInThrottled`."""
        fresh = new_secret()

        async def complete(tx: Transaction, now_us: int) -> bool:
            return await self._sessions.proved(tx, session.digest, digest_of(fresh), now_us)

        await self._verify_code(session.user, code, trace, complete)
        return fresh

    async def set_up(self, session: Session, secret: str, code: str, trace: TraceContext) -> SecondFactorSetUp:
        """Store a second factor and recovery codes for the session's user, who has no second factor yet. `secret`: the
        new secret. `code`: six digits generated from it. Raises `CodeRefused`."""
        user = session.user
        step = second_factor.step_of(secret, code, self._clock.now_us())
        if step is None:
            raise CodeRefused
        fresh, codes = new_secret(), recovery_codes.generate()
        async with self._database.transaction() as tx:
            now_us = self._clock.now_us()
            if not await self._factors.set(tx, self._master(), user.id, secret, step):
                raise CodeRefused
            await self._recovery.replace(tx, user.id, codes)
            await self._sessions.end_all_but(tx, user.id, session.digest)
            if not await self._sessions.proved(tx, session.digest, digest_of(fresh), now_us):
                raise CodeRefused
            await self._audit.record(tx, actor_of(user, trace), "user.second_factor_set_up", user.id)
        return SecondFactorSetUp(fresh, codes)

    async def replace_recovery_codes(self, session: Session, code: str, trace: TraceContext) -> tuple[str, ...]:
        """Replace the recovery codes of a signed-in user; return the new ones. `code`: six digits or a recovery code,
        to verify the second factor again. Raises `CodeRefused`, `SignInThrottled`."""
        user, codes = session.user, recovery_codes.generate()

        async def replace(tx: Transaction, now_us: int) -> bool:
            await self._recovery.replace(tx, user.id, codes)
            await self._audit.record(tx, actor_of(user, trace), "user.replace_recovery_codes", user.id)
            return True

        await self._verify_code(user, code, trace, replace)
        return codes

    async def replace_authenticator(
        self, session: Session, current: str, secret: str, code: str, trace: TraceContext
    ) -> SecondFactorSetUp:
        """Replace the second factor and recovery codes of a signed-in user; the user's other sessions end. `current`:
        six digits of the present second factor, or a recovery code. `code`: six digits of the new `secret`. Raises
        `CodeRefused`, `SignInThrottled`."""
        user = session.user
        step = second_factor.step_of(secret, code, self._clock.now_us())
        if step is None:
            raise CodeRefused
        fresh, codes = new_secret(), recovery_codes.generate()

        async def replace(tx: Transaction, now_us: int) -> bool:
            if not await self._sessions.proved(tx, session.digest, digest_of(fresh), now_us):
                return False
            await self._sessions.end_all_but(tx, user.id, digest_of(fresh))
            await self._factors.remove(tx, user.id)
            await self._factors.set(tx, self._master(), user.id, secret, step)
            await self._recovery.replace(tx, user.id, codes)
            await self._audit.record(tx, actor_of(user, trace), "user.replace_second_factor", user.id)
            return True

        await self._verify_code(user, current, trace, replace)
        return SecondFactorSetUp(fresh, codes)

    async def _verify_code(
        self, user: User, code: str, trace: TraceContext, apply: Callable[[Transaction, int], Awaitable[bool]]
    ) -> None:
        """Verify six digits or a recovery code and mark them as used; then call `apply` in the same transaction. The
        attempt counts as a failure if the code is wrong or `apply` returns False. Raises `CodeRefused`,
        `SignInThrottled`."""
        subjects = second_factor_of(user.id)
        async with self._database.read() as tx:
            await self._check_wait(tx, subjects, self._clock.now_us())
            secret = await self._factors.secret(tx, self._master(), user.id)
        recovery = recovery_codes.read_code(code)
        step = None
        if secret is not None and recovery is None:
            step = second_factor.step_of(secret, code, self._clock.now_us())
        async with self._database.transaction() as tx:
            now_us = self._clock.now_us()
            counted = await self._count_in(tx, subjects, now_us)
            action, metadata = "user.second_factor", None
            good = step is not None and await self._factors.use(tx, user.id, step)
            if recovery is not None and await self._recovery.use(tx, user.id, recovery):
                good, action = True, "user.use_recovery_code"
                metadata = {"left": await self._recovery.count(tx, user.id)}
            good = good and await apply(tx, now_us)
            if good:
                await self._failures.succeeded(tx, counted, now_us)
            outcome = Outcome.DONE if good else Outcome.REFUSED
            await self._audit.record(tx, actor_of(user, trace), action, user.id, outcome, metadata=metadata)
        if not good:
            raise CodeRefused

    async def change_password(self, session: Session, present: str, wanted: str, trace: TraceContext) -> None:
        """Change the password of the signed-in user; the user's other sessions end. Raises `SignInRefused` (the
        password `present` is wrong), `SignInThrottled`, `SignInBusy`, `PasswordUnfit`."""
        user, subjects = session.user, password_again_of(session.user.id)
        async with self._database.read() as tx:
            await self._check_wait(tx, subjects, self._clock.now_us())
        checked(wanted)
        counted = await self._count(subjects)
        if await self._authenticate(user.username, present, counted) is None:
            async with self._database.transaction() as tx:
                await self._audit.record(tx, actor_of(user, trace), OWN_CHANGE, user.id, Outcome.REFUSED)
            raise SignInRefused

        hashed = await self._users.hash_password(wanted)
        async with self._database.transaction() as tx:
            await self._people.set_password(tx, user.id, hashed)
            await self._sessions.end_all_but(tx, user.id, session.digest)
            await self._failures.succeeded(tx, counted, self._clock.now_us())
            await self._audit.record(tx, actor_of(user, trace), OWN_CHANGE, user.id)

    async def end(self, secret: str) -> None:
        """End the session with this cookie value, if there is one."""
        async with self._database.transaction() as tx:
            await self._sessions.end(tx, secret)

    async def _check_wait(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> None:
        wait_us = await self._failures.wait_us(tx, subjects, now_us)
        if wait_us > 0:
            raise SignInThrottled(-(-wait_us // SECOND_US))

    async def _count(self, subjects: tuple[Subject, ...]) -> CountedAttempt:
        """Add a sign-in attempt to its counters of failures, in a transaction of its own, so that the count is durable.
        Raises `SignInThrottled`."""
        async with self._database.transaction() as tx:
            return await self._count_in(tx, subjects, self._clock.now_us())

    async def _count_in(self, tx: Transaction, subjects: tuple[Subject, ...], now_us: int) -> CountedAttempt:
        counted = await self._failures.count(tx, subjects, now_us)
        if isinstance(counted, int):
            raise SignInThrottled(-(-counted // SECOND_US))
        return counted

    async def _authenticate(self, username: str, password: str, counted: CountedAttempt) -> User | None:
        """Verify the password of a counted attempt; return the user, or None when the password is wrong. Raises
        `SignInBusy` when there is no capacity to verify the password; the attempt is then not counted as a failure."""
        try:
            return await self._users.authenticate(username, password)
        except SignInBusy:
            async with self._database.transaction() as tx:
                await self._failures.take_back(tx, counted, self._clock.now_us())
            raise

    async def _record_refused(self, name: str, trace: TraceContext) -> None:
        async with self._database.transaction() as tx:
            found = await self._people.by_username(tx, name)
            if found is not None:
                user = found[0]
                await self._audit.record(tx, actor_of(user, trace), "user.sign_in", user.id, Outcome.REFUSED)


def actor_of(user: User, trace: TraceContext) -> Actor:
    """Return the actor for a user who acts on a page of the auth host, without an app or a token."""
    return Actor(user.tenant_id, user.organization_id, user.clearance, subject=user.id, client_id="", trace=trace)
