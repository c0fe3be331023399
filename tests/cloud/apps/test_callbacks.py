"""Secrets of an app's call-backs are derived and change with each rotation; the previous one signs during its grace."""

import pytest

from cloud.access.apps.callbacks import callback_secret, signing_secrets
from tests.builders.auth_world import MASTER, AuthWorld


@pytest.mark.contract("A-065")
async def test_a_rotation_gives_another_secret_and_the_one_before_signs_until_its_grace_is_over(
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
async def test_two_apps_never_share_a_secret(world: AuthWorld) -> None:
    other, _ = await world.register("other")
    assert callback_secret(MASTER, other) != callback_secret(MASTER, world.app)
