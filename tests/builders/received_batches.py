"""The cloud's tables of received batches as a `ReceivedBatches`, which functions of the observations slice take as an
argument.
"""

from cloud.clinical.observations import ReceivedBatches
from cloud.vehicles.custody import batches, lanes

RECEIVED = ReceivedBatches(lanes, batches)
