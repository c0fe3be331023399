"""An app gets a new call-back secret at each rotation; the previous secret also signs call-backs for a limited time."""

from dataclasses import replace

import pytest

from cloud.access.apps.callbacks import callback_secret, signing_secrets
from cloud.foundation.master_key import MasterKey, SealBroken
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


async def test_rotated_callback_secret_derives_from_the_present_master_key_and_no_longer_from_a_stolen_one(
    world: AuthWorld,
) -> None:
    present = MasterKey(bytes(32), former=[bytes(range(32))])
    first = callback_secret(MASTER, world.app)
    assert callback_secret(present, world.app) == first
    operator, client_id = world.home.operator, world.app.client_id
    rotated = (await world.apps.rotate_secret(operator, client_id, callback_kid=present.kid)).app
    second = callback_secret(present, rotated)
    assert signing_secrets(present, rotated, world.clock.now_us()) == (second, first)
    assert second != callback_secret(present, replace(rotated, callback_kid=None))
    with pytest.raises(SealBroken, match=present.kid):
        callback_secret(MASTER, rotated)
    by_console = (await world.apps.rotate_secret(operator, client_id)).app
    assert signing_secrets(present, by_console, world.clock.now_us())[1] == second
    assert by_console.callback_kid == present.kid


@pytest.mark.contract("A-065")
async def test_callback_secrets_of_two_apps_differ(world: AuthWorld) -> None:
    other, _ = await world.register("other")
    assert callback_secret(MASTER, other) != callback_secret(MASTER, world.app)
