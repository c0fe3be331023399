"""Settings of signing in."""

from typing import Literal

from cloud.foundation.settings import Section


class SignInSection(Section):
    """`[sign_in]`: what people need on the pages of the auth host."""

    second_factor: Literal["optional", "administrators", "everybody"] = "administrators"
    """Who must set up a second factor before anything else. Whoever has one is asked for it whatever stands here."""
