"""Client of the Argus API, and checks of its webhooks and its signed evidence.

    from argus_sdk.client import Argus
    from argus_sdk import evidence, webhooks

This module imports nothing, so that a check of evidence loads no code that uses the network.
"""

__version__ = "2.0.0"
