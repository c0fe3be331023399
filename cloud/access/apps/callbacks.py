"""Derive the secret that signs call-backs to an app (contract A-065) from the master key; the secret is never stored.

The secret depends on the app's generation number, which each rotation increments, and on the master key that was
current at that rotation. A rotation of the master key does not change it, since its receivers have it; a rotation of
the secret leaves a stolen master key. The secret is returned only at registration and at each rotation. The secret has
the form of Standard Webhooks, so that the receiver's library accepts the secret unchanged.
"""

import base64
from collections.abc import Sequence

from cloud.access.apps.model import App
from cloud.foundation.master_key import MasterKey


def callback_secret(master: MasterKey, app: App) -> str:
    """Return the secret that signs call-backs to the app, for the app's current generation number. The form is `whsec_`
    and 32 bytes in base64. Raises `SealBroken` if the file of the master key lacks the key that it derives from."""
    return _secret(master, app.client_id, app.callback_generation, app.callback_kid)


def signing_secrets(master: MasterKey, app: App, now_us: int) -> Sequence[str]:
    """Return the secrets that sign a call-back to the app at `now_us`: the current secret and, until it expires, the
    secret before the last rotation."""
    current = callback_secret(master, app)
    until_us = app.callback_previous_until_us
    if until_us is None or now_us >= until_us:
        return (current,)
    return (current, _secret(master, app.client_id, app.callback_generation - 1, app.callback_previous_kid))


def _secret(master: MasterKey, client_id: str, generation: int, kid: str | None) -> str:
    return "whsec_" + base64.b64encode(master.derive(f"call-back {client_id} {generation}", kid)).decode()
