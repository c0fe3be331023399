"""The two drawings of a hand-over: the trend of the vital signs, and the ECG."""

from collections.abc import Sequence

from protocols.epcr.handover.drawing import Drawing
from protocols.epcr.handover.ecg import Ecg, ecg_drawing
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.readings import Reading
from protocols.epcr.handover.trend import trend_drawing
from protocols.epcr.handover.wording import Wording


def trend_plot(readings: Sequence[Reading], wording: Wording) -> Drawing | None:
    """Return the trend plot of readings, oldest first; None where there is nothing to draw."""
    return trend_drawing(readings, wording.words(PHRASES["trend"]), wording)


def ecg_sheet(ecg: Ecg | None, wording: Wording, state: str) -> Drawing | None:
    """Return the ECG at true scale; None where no device sent one. `state`: whether the hand-over is signed."""
    if ecg is None:
        return None
    title = wording.words(PHRASES["ecg_12" if ecg.is_twelve_lead else "ecg"])
    caption = f"{wording.clock_time(ecg.began_us)} · {ecg.device} · {wording.words(PHRASES['scale'])}"
    return ecg_drawing(ecg, f"{title} · {state}", caption, wording.words(PHRASES["ruler"]))
