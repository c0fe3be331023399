"""One finding of `doctor`: its severity, its subject and a sentence."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of `doctor`. `subject` is one word."""

    grade: Literal["well", "unwise", "wrong"]
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Makes the findings of one subject. `name` is the subject's word in the output."""

    name: str

    def well(self, sentence: str) -> Finding:
        return Finding("well", self.name, sentence)

    def unwise(self, sentence: str) -> Finding:
        return Finding("unwise", self.name, sentence)

    def wrong(self, sentence: str) -> Finding:
        return Finding("wrong", self.name, sentence)


BLUETOOTH = Subject("bluetooth")
CLOCK = Subject("clock")
CREW = Subject("crew")
DISK = Subject("disk")
IDENTITY = Subject("identity")
KEYS = Subject("keys")
LINKS = Subject("links")
SECRETS = Subject("secrets")
SERIAL = Subject("serial")
SETTINGS = Subject("settings")
STATE = Subject("state")
STORE = Subject("store")
TCP = Subject("tcp")
UPLINK = Subject("uplink")
