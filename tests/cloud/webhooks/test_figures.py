"""Metrics show an operator how many deliveries are pending, and for how long."""

from cloud.foundation.observability.metrics import WEBHOOK_LATE_SECONDS, WEBHOOKS_WAITING, Metrics
from cloud.partners.webhooks import webhooks_sampler
from tests.builders.webhook_story import SECOND_US
from tests.cloud.webhooks.conftest import Begin
from tests.harness.receiver import receiving


async def test_webhook_metrics_contain_the_number_of_pending_deliveries_and_their_delay(begin: Begin):
    async with receiving() as receiver:
        story = await begin(receiver)
        await story.subscribe(receiver.url())
        metrics, sample = Metrics(), webhooks_sampler(story.database, story.clock)

        async def shown() -> tuple[float, float]:
            await sample(metrics)
            return metrics.value(WEBHOOKS_WAITING), metrics.value(WEBHOOK_LATE_SECONDS)

        assert await shown() == (0, 0)
        await story.happen("inc_1")
        await story.happen("inc_1")
        await story.fan_out()
        assert await shown() == (2, 0)
        story.clock.advance(us=90 * SECOND_US)
        assert await shown() == (2, 90)
        await story.turn()
        assert await shown() == (0, 0)
