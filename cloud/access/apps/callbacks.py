"""The secret that signs what is sent to an app's call-backs (A-065): derived from the master key, so never stored.

It is told once, when the app is made and at each rotation, which takes the next generation. In the form of Standard
Webhooks, so that the receiver's library takes it as it is.
"""

import base64
from collections.abc import Sequence

from cloud.access.apps.model import App
from cloud.foundation.master_key import MasterKey


def callback_secret(master: MasterKey, app: App) -> str:
    """The secret of the app's present generation: `whsec_` and 32 octets in base64."""
    return _secret(master, app.client_id, app.callback_generation)


def signing_secrets(master: MasterKey, app: App, now_us: int) -> Sequence[str]:
    """What a call-back is signed with now: the present secret, and the one before while it is still good."""
    present = callback_secret(master, app)
    until_us = app.callback_previous_until_us
    if until_us is None or now_us >= until_us:
        return (present,)
    return (present, _secret(master, app.client_id, app.callback_generation - 1))


def _secret(master: MasterKey, client_id: str, generation: int) -> str:
    return "whsec_" + base64.b64encode(master.derive(f"call-back {client_id} {generation}")).decode()
