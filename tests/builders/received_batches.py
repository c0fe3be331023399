"""The object `RECEIVED`, which holds the cloud's tables of lanes and batches. Functions of the package
`cloud.clinical.observations` take it as an argument.
"""

from cloud.clinical.observations import ReceivedBatches
from cloud.vehicles.custody import batches, lanes

RECEIVED = ReceivedBatches(lanes, batches)
