"""The sign-in attempts that count as failures of a user name, and those that do not."""

import pytest
from sqlalchemy import select

from cloud.access.identity import Role
from cloud.access.identity.errors import SignInBusy
from cloud.access.identity.lockout import FREE_EVERYWHERE, CountedAttempt, FailureStore, subjects_of
from cloud.access.identity.tables import sign_in_failures
from cloud.foundation.trace import begin_trace
from tests.builders.auth_world import AuthWorld
from tests.builders.sign_in import sign_in_of
from tests.harness.page_reader import PASSWORD

ADA = "ada@example.org"


async def test_successful_sign_ins_do_not_add_to_the_failure_count_of_a_user_name(world_on_either: AuthWorld) -> None:
    world = world_on_either
    await world.person(ADA, Role.MEMBER)
    sign_in, store = sign_in_of(world), FailureStore()
    for number in range(3):
        await sign_in.attempt(ADA, PASSWORD, f"192.0.2.{number}", None, begin_trace())
    async with world.database.read() as tx:
        failures = [row[0] for row in await tx.execute(select(sign_in_failures.c.failures))]
    assert failures == [0]
    everywhere = subjects_of(ADA, "192.0.2.1", None)[1:]
    now_us = world.clock.now_us()
    for tried in range(FREE_EVERYWHERE - 1):
        async with world.database.transaction() as tx:
            assert isinstance(await store.count(tx, everywhere, now_us), CountedAttempt), tried
    await sign_in.attempt(ADA, PASSWORD, "192.0.2.1", None, begin_trace())
    async with world.database.read() as tx:
        assert await store.wait_us(tx, everywhere, now_us) == 0, "the wait that a success began ends with it"


async def test_sign_in_refused_because_the_server_is_busy_is_not_counted_as_a_failure(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    sign_in = sign_in_of(world, full=True)
    for _ in range(7):
        with pytest.raises(SignInBusy):
            await sign_in.attempt(ADA, PASSWORD, "192.0.2.1", None, begin_trace())
