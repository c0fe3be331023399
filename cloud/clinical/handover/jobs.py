"""The announcement of new share links."""

from cloud.clinical.handover.announcing import HandoverAnnouncer
from cloud.clinical.handover.model import LinkPeriod
from cloud.clinical.handover.settings import HandoverSection
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    section = process.settings.section(HandoverSection)
    period = LinkPeriod(section.link_h_after_arrival, section.link_h_max)
    announcer = HandoverAnnouncer(process.clock, process.ids, period)
    return Jobs(watches=[Chore("share_links", announcer.announce_next)])
