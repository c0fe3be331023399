"""Events of webhooks themselves."""

from cloud.foundation.events import EventType, moment, text, word
from cloud.partners.webhooks.messages import DISABLED_EVENT, TEST_EVENT
from cloud.partners.webhooks.model import DisabledReason

SCOPE = "webhooks:read"

_WEBHOOK = text("The webhook, wh_….")

EVENTS = (
    EventType(
        name=TEST_EVENT,
        description="Test of a webhook. It is sent to that webhook only, without a subscription, also while it "
        "is disabled.",
        fields={"webhook_id": _WEBHOOK, "delivery_id": text("The delivery, dlv_test_….")},
        sample={"webhook_id": "wh_123", "delivery_id": "dlv_test_123"},
        scope=SCOPE,
        always=True,
    ),
    EventType(
        name=DISABLED_EVENT,
        description="A webhook was disabled because its receiver returned 410 or failed for five days, or because its "
        "app's governance no longer allows its host. It is sent to the other webhooks of the tenant, without a "
        "subscription.",
        fields={
            "webhook_id": _WEBHOOK,
            "reason": word("Reason.", [DisabledReason.GONE, DisabledReason.FAILING, DisabledReason.NOT_ALLOWED]),
            "disabled_at": moment("Time of the disabling."),
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
