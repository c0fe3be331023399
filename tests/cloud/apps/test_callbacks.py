"""An app gets a new call-back secret at each rotation; the previous secret also signs call-backs for a limited time."""

import pytest

from cloud.access.apps.callbacks import callback_secret, signing_secrets
from tests.builders.auth_world import MASTER, AuthWorld


@pytest.mark.contract("A-065")
async def test_previous_callback_secret_signs_callbacks_until_its_grace_period_ends(
    world: AuthWorld,
) -> None:
    first = callback_secret(MASTER, world.app)
    assert signing_secrets(MASTER, world.app, world.clock.now_us()) == (first,)
    rotated = await world.apps.rotate_secret(world.home.operator, world.app.client_id, grace_hours=1)
    second = callback_secret(MASTER, rotated.app)
    assert second != first
    assert signing_secrets(MASTER, rotated.app, world.clock.now_us()) == (second, first)
    world.pass_time(minutes=60)
    assert signing_secrets(MASTER, rotated.app, world.clock.now_us()) == (second,)


@pytest.mark.contract("A-065")
async def test_callback_secrets_of_two_apps_differ(world: AuthWorld) -> None:
    other, _ = await world.register("other")
    assert callback_secret(MASTER, other) != callback_secret(MASTER, world.app)
