"""Findings of `argus-gateway doctor` about secrets on the disk: sealed ones, and those in plain files."""

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.finding import SECRETS, UPLINK, Finding
from gateway.security.identity import Identity
from gateway.security.secret_store import SecretDamaged, is_credential
from gateway.settings import MqttSection
from gateway.sync.settings import KEY_NAME, PASSWORD_NAME


def secret_findings(identity: Identity, mqtt: MqttSection | None) -> Iterator[Finding]:
    """Yield findings about the keys of the identity and the secrets that `[mqtt]` names."""
    plain = [
        f"{path} is a key in plain: a stolen disk can use it; restart the gateway, which seals it and removes the file."
        for path in identity.plain_files
    ]
    for path, name in _named(mqtt):
        if not path.exists():
            yield from _sealed(identity, path, name)
        elif not os.access(path, os.R_OK):
            yield UPLINK.wrong(f"{path} cannot be read: the broker will refuse us; correct its owner.")
        elif not is_credential(path):
            plain.append(
                f"{path} holds a secret in plain: a stolen disk can use it; the gateway seals it when it connects. "
                "If the file remains, the gateway has no permission to remove it: remove it as root."
            )
    yield from (SECRETS.unwise(sentence) for sentence in plain)
    if not plain:
        yield SECRETS.well("The keys and the broker's password are sealed with the store's key.")


def _named(mqtt: MqttSection | None) -> Iterator[tuple[Path, str]]:
    if mqtt is not None and mqtt.password_file is not None:
        yield mqtt.password_file, PASSWORD_NAME
    if mqtt is not None and mqtt.key_file is not None:
        yield mqtt.key_file, KEY_NAME


def _sealed(identity: Identity, path: Path, name: str) -> Iterator[Finding]:
    """Yield a finding where the secret of a missing file that the settings name was never sealed or cannot be read."""
    try:
        if identity.secrets.read_sealed(path, name) is not None:
            return
        sentence = f"{path} is not there, and nothing was sealed of it: the broker will refuse us; put the file there."
    except SecretDamaged as error:
        sentence = f"{error.path} does not open: the broker will refuse the gateway; put {path} there again."
    except OSError as error:
        sentence = f"{path} cannot be read ({error.strerror}): the broker will refuse us; correct its owner."
    yield UPLINK.wrong(sentence)
