"""What the pages about webhooks say, in English and Polish."""

from typing import Final

WEBHOOK_WORDS: Final = {
    "webhooks.none": ("Nobody subscribes to events yet.", "Nikt jeszcze nie subskrybuje zdarzeń."),
}
