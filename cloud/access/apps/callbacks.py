"""Derive the secret that signs call-backs to an app (contract A-065) from the master key. The secret is never stored.

The secret is returned only at registration and at each rotation. A rotation increments the app's generation, from which
the secret is derived. The secret has the form of the Standard Webhooks specification, so that the receiver's library
accepts it unchanged.
"""

import base64
from collections.abc import Sequence

from cloud.access.apps.model import App
from cloud.foundation.master_key import MasterKey


def callback_secret(master: MasterKey, app: App) -> str:
    """Return the call-back secret of the app's current generation: `whsec_` and 32 bytes in base64."""
    return _secret(master, app.client_id, app.callback_generation)


def signing_secrets(master: MasterKey, app: App, now_us: int) -> Sequence[str]:
    """Return the secrets that sign a call-back at `now_us`: the current one, and the previous one until it expires."""
    current = callback_secret(master, app)
    until_us = app.callback_previous_until_us
    if until_us is None or now_us >= until_us:
        return (current,)
    return (current, _secret(master, app.client_id, app.callback_generation - 1))


def _secret(master: MasterKey, client_id: str, generation: int) -> str:
    return "whsec_" + base64.b64encode(master.derive(f"call-back {client_id} {generation}")).decode()
