"""Sessions of a tablet: signed cookies, which the gateway can verify after a restart.

Three cookies, none of which has personal data:

- The mark: a random id of the tablet, signed. It gives no access. Wrong guesses of a tablet with a mark are counted
  separately, so that guesses of other clients cannot lock it out. It stays valid when a PIN changes or a session ends.
  With it are kept the members who have signed in on this tablet.
- The live session: the vehicle's PIN was entered, or a member has signed in. It lasts `SESSION_S`.
- The member's session: who writes in the patient report. It is locked when the tablet was not touched for a while;
  the live session continues.

A session is valid only together with the mark of the tablet on which it began. Its key derives from the store's key and
the PIN, so that a changed PIN or a removed member ends it. A session that was locked or signed out cannot be used
again, also not with a copy of its cookie or after a restart of the gateway (`ended_sessions`).

The time in a cookie is the machine's monotonic clock, with the id of the boot, because a vehicle's wall clock may jump
by years when it is first set. A session continues after a reboot for the rest of its time, if the gateway remembers the
boot (`clocks.boots`). The session's age is exact where the wall-clock times of both boots are known. Otherwise only the
time during which the machine ran is counted.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.crew.ended_sessions import EndedSessions
from gateway.security.crew_members import CrewMember
from gateway.sessions.clocks.boots import Boots
from protocols.bounded_map import BoundedMap

TABLET_COOKIE = "argus_tablet"
LIVE_COOKIE = "argus_crew"
MEMBER_COOKIE = "argus_member"
SESSION_S = 12 * 3600
"""Seconds that a live session lasts: a long shift."""
TABLET_S = 400 * 24 * 3600
"""Seconds that a browser keeps the mark: the longest that browsers allow (RFC 6265bis §5.5). Each sign-in renews it."""
RENEW_EVERY_S = 10.0
"""Seconds between two renewals of a member's cookie while the tablet is in use."""
LOCK_GRACE_S = 30.0
"""Seconds by which the gateway locks a session later than its page does: a page reports its use at intervals."""
KNOWN_MEMBERS_MAX = 12
"""Members whose sign-in a tablet remembers, the latest first; the crews of a week."""
_SESSIONS_MAX = 256
"""Sessions of which the gateway remembers the last use."""
_ID_BYTES = 12
_SEAL = r"([0-9a-f]{64})"
_MOMENT = r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,10})"
_MARK = re.compile(rf"([0-9a-f]{{24}}(?:\.[0-9a-f]{{8}}){{0,{KNOWN_MEMBERS_MAX}}})\.{_SEAL}")
_LIVE = re.compile(rf"([0-9a-f]{{24}})\.{_MOMENT}\.{_SEAL}")
_MEMBER = re.compile(rf"([0-9a-f]{{24}})\.([A-Za-z0-9_-]{{1,64}})\.{_MOMENT}\.{_SEAL}")


@dataclass(frozen=True, slots=True)
class Tablet:
    """A tablet that has signed in before. `members`: short hashes of the members who have signed in on it."""

    id: str
    members: tuple[str, ...] = ()

    def rank(self, member: str) -> int | None:
        """Return 0 for the member who signed in last on the tablet, 1 for the one before, None for one without."""
        short = _short(self.id, member)
        return self.members.index(short) if short in self.members else None

    def with_member(self, member: str) -> "Tablet":
        short = _short(self.id, member)
        return Tablet(self.id, (short, *(each for each in self.members if each != short))[:KNOWN_MEMBERS_MAX])


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSession:
    """A session of a crew member on one tablet. `used_at_s`: its last use in monotonic seconds of the present boot; it
    may be negative after a reboot."""

    id: str
    tablet: str
    member: CrewMember
    used_at_s: float


class Marks:
    """Issues and reads the marks of tablets."""

    def __init__(self, store_key: bytes) -> None:
        self._key = hmac.digest(store_key, b"argus crew tablet v1", hashlib.sha256)

    def issue(self, tablet: Tablet | None) -> tuple[Tablet, str]:
        """Return a tablet and its mark: `tablet`, or a new one where it is None."""
        tablet = tablet or Tablet(secrets.token_hex(_ID_BYTES))
        text = ".".join((tablet.id, *tablet.members))
        return tablet, f"{text}.{_seal(self._key, text)}"

    def read(self, mark: str) -> Tablet | None:
        """Return the tablet of a mark, which must be ASCII; None where this gateway did not sign it."""
        form = _MARK.fullmatch(mark)
        if form is None or not hmac.compare_digest(form[2], _seal(self._key, form[1])):
            return None
        id, *members = form[1].split(".")
        return Tablet(id, tuple(members))


class LiveSessions:
    """Issues and verifies live sessions."""

    def __init__(self, store_key: bytes, pin: str, boots: Boots, ended: EndedSessions) -> None:
        self._key = hmac.digest(store_key, b"argus crew session v4\0" + pin.encode(), hashlib.sha256)
        self._boots = boots
        self._ended = ended

    def issue(self, tablet: Tablet) -> str:
        """Return a cookie that is valid for `SESSION_S` on this tablet."""
        text = f"{secrets.token_hex(_ID_BYTES)}.{_moment(self._boots)}"
        return f"{text}.{_seal(self._key, f'{tablet.id}.{text}')}"

    async def end(self, cookie: str, tablet: Tablet) -> None:
        """End the session of a cookie: a copy of it is refused from now on."""
        if self.is_valid(cookie, tablet):
            await self._ended.add(cookie.partition(".")[0])

    def is_valid(self, cookie: str, tablet: Tablet) -> bool:
        """Return whether this gateway issued the cookie to this tablet, less than `SESSION_S` ago."""
        form = _LIVE.fullmatch(cookie)
        if form is None:
            return False
        id, boot_id, second, seal = form.groups()
        if id in self._ended or not hmac.compare_digest(seal, _seal(self._key, f"{tablet.id}.{id}.{boot_id}.{second}")):
            return False
        age_s = self._boots.age_s(boot_id, float(second))
        return age_s is not None and age_s < SESSION_S


class MemberSessions:
    """Issues and verifies members' sessions. `lock_after_s`: seconds without use after which a session is locked."""

    def __init__(self, store_key: bytes, boots: Boots, lock_after_s: float, ended: EndedSessions) -> None:
        self._key = hmac.digest(store_key, b"argus crew member v1", hashlib.sha256)
        self._boots = boots
        self._lock_after_s = lock_after_s
        self._used_at_s: BoundedMap[str, float] = BoundedMap(_SESSIONS_MAX)
        self._ended = ended

    def begin(self, tablet: Tablet, member: CrewMember) -> str:
        """Begin a session of a member on a tablet, and return its cookie."""
        now_s = self._boots.present().seen_s
        return self.renew(
            MemberSession(id=secrets.token_hex(_ID_BYTES), tablet=tablet.id, member=member, used_at_s=now_s)
        )

    def renew(self, session: MemberSession) -> str:
        """Record a use of the session now, and return its new cookie."""
        self._used_at_s[session.id] = self._boots.present().seen_s
        text = f"{session.id}.{session.member.id}.{_moment(self._boots)}"
        return f"{text}.{self._seal(session.member, session.tablet, text)}"

    def is_due(self, session: MemberSession) -> bool:
        """Return whether the last use is long enough ago that a further one is recorded."""
        return self._boots.present().seen_s - session.used_at_s >= RENEW_EVERY_S

    def read(self, cookie: str, tablet: Tablet, members: Mapping[str, CrewMember]) -> MemberSession | None:
        """Return the session of a cookie; None where this gateway did not issue it to this tablet, the member is
        unknown or has another PIN now, or the session is locked."""
        form = _MEMBER.fullmatch(cookie)
        member = members.get(form[2]) if form is not None else None
        if form is None or member is None:
            return None
        text, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal, self._seal(member, tablet.id, text)):
            return None
        age_s = self._boots.age_s(form[3], float(form[4]))
        if age_s is None:
            return None
        used_at_s = self._boots.present().seen_s - age_s
        used_at_s = max(used_at_s, self._used_at_s.get(form[1], used_at_s))
        session = MemberSession(id=form[1], tablet=tablet.id, member=member, used_at_s=used_at_s)
        return session if self.is_open(session) else None

    def is_open(self, session: MemberSession) -> bool:
        """Return whether the session is still neither locked nor ended. A stream checks it before it sends."""
        if session.id in self._ended:
            return False
        used_at_s = self._used_at_s.get(session.id, session.used_at_s)
        return self._boots.present().seen_s - used_at_s < self._lock_after_s + LOCK_GRACE_S

    async def end(self, session: MemberSession) -> None:
        """Lock the session for ever: a copy of its cookie is refused from now on."""
        self._used_at_s.pop(session.id, None)
        await self._ended.add(session.id)

    def _seal(self, member: CrewMember, tablet: str, text: str) -> str:
        key = hmac.digest(self._key, f"{member.id}\0{member.pin}".encode(), hashlib.sha256)
        return _seal(key, f"{tablet}.{text}")


def _moment(boots: Boots) -> str:
    boot = boots.present()
    return f"{boot.boot_id}.{int(boot.seen_s)}"


def _short(tablet: str, member: str) -> str:
    """Return a short hash of a member's id, so that a tablet's cookie does not name people."""
    return hashlib.sha256(f"argus crew known member\0{tablet}\0{member}".encode()).hexdigest()[:8]


def _seal(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
