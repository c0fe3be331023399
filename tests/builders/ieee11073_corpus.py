"""Reader of the commented hex files under `tests/corpus`: named APDUs and whole conversations."""

from pathlib import Path
from typing import NamedTuple

_CORPUS = Path(__file__).resolve().parents[1] / "corpus"


class Sample(NamedTuple):
    """One APDU of a corpus file. In a conversation, `name` is the sender: `agent` or `manager`."""

    name: str
    octets: bytes


def samples(path: Path) -> list[Sample]:
    """Return the APDUs of one file, in order. A line `name:` starts an APDU, the lines below it are its bytes in hex,
    and `#` starts a comment."""
    found: list[tuple[str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("#", 1)[0].strip()
        if text.endswith(":"):
            found.append((text[:-1], []))
        elif text:
            found[-1][1].append(text)
    return [Sample(name, bytes.fromhex("".join(lines))) for name, lines in found]


def apdus() -> list[Sample]:
    """Return the APDUs of `apdus.hex`, which has one of every kind."""
    return samples(_CORPUS / "apdus.hex")


def apdu(name: str) -> bytes:
    """Return the APDU with this name in `apdus.hex`."""
    return next(sample.octets for sample in apdus() if sample.name == name)


def conversations() -> dict[str, list[Sample]]:
    """Map the name of each conversation's file, without `.hex`, to the conversation's APDUs."""
    return {path.stem: samples(path) for path in sorted((_CORPUS / "conversations").glob("*.hex"))}


def agent_apdus(conversation: list[Sample]) -> list[bytes]:
    """Return each APDU that the agent sends in a conversation."""
    return [sample.octets for sample in conversation if sample.name == "agent"]
