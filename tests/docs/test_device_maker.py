"""The device maker's guide: its tables equal the generated ones, each table is there once, and its commands run."""

import re
from pathlib import Path

from tests.docs.conformance import GUIDE, TABLES, filled
from tests.harness.gateway_process import vehicle
from tests.harness.shell import blocks_of, typed


def test_tables_of_the_device_makers_guide_equal_the_generated_tables():
    """Compare the tables with the code's; `python -m tests.docs.conformance` writes them again."""
    text = GUIDE.read_text()
    assert filled(text) == text


def test_every_generated_table_is_in_the_device_makers_guide_exactly_once():
    assert sorted(re.findall(r"<!-- table: ([\w-]+) -->", GUIDE.read_text())) == sorted(TABLES)


async def test_every_command_in_the_device_makers_guide_works_beside_a_running_gateway(tmp_path: Path):
    blocks = blocks_of(GUIDE)
    assert len(blocks) == 3
    here = tmp_path / "here"
    here.mkdir()
    async with vehicle(tmp_path) as gateway:
        host, port = gateway.address
        variables = {"CONFIG": str(gateway.config), "AGENT_TCP": f"{host}:{port}"}
        outputs = []
        for block in blocks:
            code, out, err = await typed(block, here, variables)
            assert code == 0, f"{block}\n{err}"
            assert "Traceback" not in err, err
            outputs.append(out)
        report, replayed, updated = outputs
        assert "SIM-OX" in report
        assert "Deviations from the standard" in report
        assert "MDC_PULS_OXIM_SAT_O2" in replayed
        assert re.search(r"firmware +1\.1", updated)
