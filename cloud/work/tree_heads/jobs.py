"""The worker's work on tree heads: make and sign them, and have them stamped."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process, Role
from cloud.work.provenance_keys import RecordSigner
from cloud.work.tree_heads.keeping import TreeKeeper
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.stamping import Stamping
from cloud.work.tree_heads.time_stamps import TimeStampService


def jobs(process: Process) -> Jobs:
    section = process.settings.find(ProvenanceSection)
    keeper = TreeKeeper(process.shared(RecordSigner.of), stamps=section is not None)
    loops = []
    if section is not None and Role.WORKER in process.roles:
        stamping = Stamping(process.database, process.clock, TimeStampService(section))
        loops.append(Loop("time stamps", stamping.run))
    return Jobs(loops=loops, chores=[Chore("tree heads", keeper.work)])
