"""`RECEIVED`: the cloud's tables of lanes and batches, as the `ReceivedBatches` object that functions of the
observations slice take as an argument.
"""

from cloud.clinical.observations import ReceivedBatches
from cloud.vehicles.custody import batches, lanes

RECEIVED = ReceivedBatches(lanes, batches)
