"""The two drawings of a hand-over: the trend of the vital signs, and the ECG."""

from gateway.epcr.handover.drawing import Drawing
from gateway.epcr.handover.ecg import ecg_drawing
from gateway.epcr.handover.handovers import Handover
from gateway.epcr.handover.trend import trend_drawing
from protocols.epcr.handover.labels import PHRASES


def trend_plot(handover: Handover) -> Drawing | None:
    """Return the trend plot; None where there is nothing to draw."""
    title = handover.wording.words(PHRASES["trend"])
    return trend_drawing(handover.readings, title, handover.wording)


def ecg_sheet(handover: Handover) -> Drawing | None:
    """Return the ECG at true scale; None where no device sent one."""
    ecg, wording = handover.ecg, handover.wording
    if ecg is None:
        return None
    title = wording.words(PHRASES["ecg_12" if ecg.is_twelve_lead else "ecg"])
    caption = f"{wording.clock_time(ecg.began_us)} · {ecg.device} · {wording.words(PHRASES['scale'])}"
    return ecg_drawing(ecg, f"{title} · {handover.content.state}", caption, wording.words(PHRASES["ruler"]))
