"""`provenance.*`: the rates of recording an operation on evidence and of verifying a transcript.

`append` adds a record to evidence in SQLite, in a transaction of its own: the last record is read, the new one is
chained, signed under both algorithms and durable before the next begins. Its reference is the primitives: canonical
JSON, leaf and both signatures of such a record, and a durable insert of a row of the same width. `verify` checks a
parsed transcript of 1 000 records; its reference makes the canonical JSON and the leaf of each core, and checks each
signature over the same bytes.
"""

import atexit
import hashlib
import hmac
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import rfc8785

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.foundation.event_loop import new_service_loop
from cloud.foundation.ids import UlidIds
from cloud.work.evidence.recorder import Document, Entry
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.received import read_transcript
from protocols.provenance.signatures import RECORD_CONTEXT, Algorithm, MlDsaPublicKey, tenant_key
from protocols.provenance.transcript import ActorKind, Operation, core_of, record_message
from protocols.provenance.verification import verify
from tests.builders.cloud_people import household
from tests.builders.evidence import EvidenceRoom, piece
from tests.builders.provenance_transcripts import (
    EVIDENCE,
    HMAC_KID,
    MASTER_KEY,
    TENANT,
    HedgedSigner,
    Keys,
    cores,
    hmac_key,
    ml_dsa_signer,
    signed,
)

Run = Callable[[], int]

RECORDS = 1_000
APPENDED = 100


def measure_append() -> tuple[Run, Run]:
    """Return two runs: records appended to evidence, and the primitives with a durable insert."""
    kept = ExitStack()
    atexit.register(kept.close)
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
    loop = new_service_loop()
    url = f"sqlite:///{folder / 'cloud.db'}"
    evidence = piece(tenant="tnt_north", organization="org_north")
    entry = Entry(
        operation=Operation.UPDATE,
        actor_id="usr_1",
        actor_kind=ActorKind.USER,
        content=Document({"state": "update"}),
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )

    async def opened() -> EvidenceRoom:
        await migrate(url, create=True)
        database, clock = await open_database(url), SystemClock()
        await household(database, clock)
        return EvidenceRoom(database, clock, UlidIds(clock))

    room = loop.run_until_complete(opened())

    async def append() -> int:
        for _ in range(APPENDED):
            async with room.database.transaction() as tx:
                await room.recorder.append(tx, evidence, entry)
        return APPENDED

    return lambda: loop.run_until_complete(append()), _bare_append(folder)


def _bare_append(folder: Path) -> Run:
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, core TEXT, leaf BLOB, hmac BLOB, mldsa BLOB)")
    core, keys = cores(2)[1], (hmac_key(), HedgedSigner())

    def run() -> int:
        for _ in range(APPENDED):
            text = rfc8785.dumps(core)
            leaf = hashlib.sha256(b"\x00" + text).digest()
            signatures = [key.sign(RECORD_CONTEXT, text) for key in keys]
            row = (text.decode(), leaf, *signatures)
            raw.execute("INSERT INTO records (core, leaf, hmac, mldsa) VALUES (?, ?, ?, ?)", row)
        return APPENDED

    return run


def measure_verify(algorithm: Algorithm) -> tuple[Run, Run]:
    """Return the check of a transcript, and the primitives alone."""
    whole = signed(cores(RECORDS), HedgedSigner() if algorithm is Algorithm.ML_DSA_65 else hmac_key())
    parts = []
    for record in whole["records"]:
        core = core_of(record)
        message = record_message(
            canonical_json(core),
            tenant_id=TENANT,
            evidence_id=EVIDENCE,
            algorithm=record["signature_alg"],
            kid=record["signature_kid"],
        )
        parts.append((core, message, bytes.fromhex(record["signature"])))

    def ours() -> int:
        assert verify(read_transcript(whole), Keys()).valid
        return RECORDS

    check = _ml_dsa() if algorithm is Algorithm.ML_DSA_65 else _hmac()

    def reference() -> int:
        for core, message, signature in parts:
            hashlib.sha256(b"\x00" + rfc8785.dumps(core)).digest()
            assert check(message, signature)
        return RECORDS

    return ours, reference


def _ml_dsa() -> Callable[[bytes, bytes], bool]:
    return partial(MlDsaPublicKey(ml_dsa_signer().public_key).verify, RECORD_CONTEXT)


def _hmac() -> Callable[[bytes, bytes], bool]:
    key = tenant_key(MASTER_KEY, TENANT, HMAC_KID)

    def check(message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(key, RECORD_CONTEXT + message, hashlib.sha256), signature)

    return check
