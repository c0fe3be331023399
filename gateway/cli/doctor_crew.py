"""Findings of `doctor` about the crew page: its PIN, the crew members, and the authority that the tablets trust."""

from collections.abc import Iterator

from gateway.cli.finding import CREW, Finding
from gateway.crew.server_certificate import machine_names
from gateway.security.crew_members import CrewMembers, CrewMembersUnusable
from gateway.security.crew_pin import CrewPin, CrewPinUnusable
from gateway.security.identity import Identity, IdentityUnusable
from gateway.security.vehicle_authority import AuthorityUnusable, VehicleAuthority, is_loopback
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.settings import CrewSection, Settings
from gateway.transports.clock import SystemClock
from protocols.observation_record import utc_text

EXPIRY_DAYS_MIN = 180
"""Days before the end of the authority at which to replace it: each tablet of the vehicle has to be in reach once."""
_DAY_US = 86_400_000_000


def crew_findings(settings: Settings, crew: CrewSection) -> Iterator[Finding]:
    """Yield findings about the crew page. What the identity protects is left out where the identity is unusable."""
    try:
        CrewPin.load(settings.pin_path)
    except CrewPinUnusable as error:
        yield CREW.wrong(f"No crew page: {error}.")
    try:
        identity = Identity.load(settings.identity_dir)
    except (IdentityUnusable, OSError):
        return
    try:
        if not CrewMembers(identity.secrets).all():
            yield CREW.unwise(
                "No crew member can sign in, so no patient report can be written: argus-gateway crew add or import."
            )
    except CrewMembersUnusable as error:
        yield CREW.wrong(f"{error}.")
    if not is_loopback(crew.listen.host):
        yield from _authority(identity, crew)


def _authority(identity: Identity, crew: CrewSection) -> Iterator[Finding]:
    try:
        authority = VehicleAuthority.load(identity.secrets)
    except AuthorityUnusable as error:
        yield CREW.wrong(f"{error}.")
        return
    if authority is None:
        yield CREW.unwise("The tablets have nothing to trust yet: the gateway makes its authority when it starts.")
        return
    clock = TrustedClock(SystemClock())
    yield from authority_findings(authority, crew, clock.wall_us())
    if clock.doubtful:
        yield CREW.unwise(
            f"No time service sets the clock, and it shows {utc_text(clock.wall_us())[:10]}, years after the release "
            "of this software. If it is wrong, tablets refuse the crew page; start a time service."
        )


def authority_findings(authority: VehicleAuthority, crew: CrewSection, now_us: int) -> Iterator[Finding]:
    """Yield findings about the authority at the wall time `now_us`."""
    days_left = (authority.not_after_us - now_us) // _DAY_US
    if now_us < authority.not_before_us:
        yield CREW.wrong(
            "The clock is before the validity of the vehicle's authority: tablets refuse the crew page until the clock "
            "is set; start a time service."
        )
    elif days_left < 0:
        yield CREW.wrong(
            "The vehicle's authority has expired: tablets refuse the crew page; argus-gateway crew authority --new."
        )
    elif days_left < EXPIRY_DAYS_MIN:
        yield CREW.unwise(
            f"The vehicle's authority expires in {days_left} days; argus-gateway crew authority --new, and install it "
            "on each tablet of the vehicle."
        )
    else:
        yield CREW.well(f"The tablets trust the authority {authority.fingerprint[:23]}…")
    foreign = sorted(name for name in machine_names() | set(crew.host_names) if not authority.permits(name))
    if foreign:
        yield CREW.unwise(
            f"The vehicle's authority does not permit {', '.join(foreign)}: tablets refuse the crew page under this "
            "name; argus-gateway crew authority --new, and install it on each tablet."
        )
