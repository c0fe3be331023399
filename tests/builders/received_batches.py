"""The tables of the batches that vehicles sent, as the composition root supplies them to readers."""

from cloud.clinical.observations import ReceivedBatches
from cloud.vehicles.custody import batches, lanes

RECEIVED = ReceivedBatches(lanes, batches)
