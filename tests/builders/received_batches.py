"""The tables of the batches that gateways sent, as the cloud passes them to the code that reads observations."""

from cloud.clinical.observations import ReceivedBatches
from cloud.vehicles.custody import batches, lanes

RECEIVED = ReceivedBatches(lanes, batches)
