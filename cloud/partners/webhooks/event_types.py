"""The events that tell of webhooks themselves."""

from cloud.foundation.events import EventType
from cloud.foundation.events.event_type import moment, text, word
from cloud.partners.webhooks.messages import DISABLED_EVENT, TEST_EVENT
from cloud.partners.webhooks.model import DisabledReason

SCOPE = "webhooks:read"

_WEBHOOK = text("The webhook, wh_….")

EVENTS = (
    EventType(
        name=TEST_EVENT,
        description="Somebody asked for a test of this webhook. It goes to the webhook in question alone, whatever it "
        "subscribed to, also while that is disabled.",
        fields={"webhook_id": _WEBHOOK, "delivery_id": text("The delivery, dlv_test_….")},
        sample={"webhook_id": "wh_123", "delivery_id": "dlv_test_123"},
        scope=SCOPE,
        always=True,
    ),
    EventType(
        name=DISABLED_EVENT,
        description="Nothing is sent to a webhook any more, because its receiver said 410 or has failed for five days, "
        "or because the tenant does not allow its host any more. It goes to the other webhooks of the tenant, whatever "
        "they subscribed to.",
        fields={
            "webhook_id": _WEBHOOK,
            "reason": word("Why.", [DisabledReason.GONE, DisabledReason.FAILING, DisabledReason.NOT_ALLOWED]),
            "disabled_at": moment("Since when."),
        },
        sample={
            "webhook_id": "wh_123",
            "reason": DisabledReason.FAILING.value,
            "disabled_at": "2026-03-28T12:00:00.000000Z",
        },
        scope=SCOPE,
        always=True,
    ),
)
