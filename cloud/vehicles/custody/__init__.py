"""The chain of custody from the vehicle: batches and gaps as they arrived, and what was set aside."""

from cloud.vehicles.custody import tables as tables
