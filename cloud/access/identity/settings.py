"""Settings of the sign-in."""

from typing import Literal

from cloud.foundation.settings import Section


class SignInSection(Section):
    """`[sign_in]`: requirements for the sign-in on the auth host."""

    second_factor: Literal["optional", "administrators", "everybody"] = "administrators"
    """The users who must set up a second factor before anything else. A user who has one always needs it to sign in."""
