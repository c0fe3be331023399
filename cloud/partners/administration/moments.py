"""Times as people read them: date and time in UTC, and the time relative to now."""

from datetime import UTC, datetime

from markupsafe import Markup

from cloud.foundation.moments import write_moment
from cloud.foundation.pages import Language, translate
from cloud.partners.administration.words import WORDS

SECOND_US = 1_000_000
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"))


def span(us: int) -> str:
    """Return a duration as `40 s`, `3 min`, `5 h` or `12 d`. The units are the same in English and Polish."""
    seconds = abs(us) // SECOND_US
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{seconds // unit} {name}"
    return f"{seconds // 86_400} d"


def relative(at_us: int, now_us: int, language: Language) -> str:
    """Return a time relative to now, such as `3 min ago`."""
    return translate(WORDS, language, "moment.ago" if at_us <= now_us else "moment.in", span=span(now_us - at_us))


def element(at_us: int | None, now_us: int, language: Language) -> Markup:
    """Return an HTML `time` element with the UTC time and the relative time; a dash for None."""
    if at_us is None:
        return Markup("–")
    shown = f"{datetime.fromtimestamp(at_us / SECOND_US, UTC):%Y-%m-%d %H:%M:%S} UTC"
    near = relative(at_us, now_us, language)
    return Markup(
        '<time datetime="{}"><span class="whole">{}</span> <span class="faint whole">({})</span></time>'
    ).format(write_moment(at_us), shown, near)
