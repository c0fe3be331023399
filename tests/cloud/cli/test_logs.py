"""A log line is one JSON object on standard error; a traceback in it shows frames and no values."""

import json
import logging

import pytest
import structlog

from cloud.foundation.observability.logs import configure_logs


def lines(capture: pytest.CaptureFixture[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def test_log_line_has_an_event_name_a_timestamp_and_the_logged_fields(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    configure_logs("info")
    structlog.get_logger().debug("never.said")
    structlog.get_logger().info("gateway.registered", gateway="gw_1")
    (line,) = lines(capfdbinary)
    assert (line["event"], line["gateway"], line["level"]) == ("gateway.registered", "gw_1", "info")
    assert str(line["timestamp"]).endswith("Z")


def test_logged_traceback_contains_no_variable_values(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs("info")
    patient_name = "Synthia Testperson"
    try:
        raise RuntimeError(len(patient_name))
    except RuntimeError:
        structlog.get_logger().exception("request.crashed")
    written = capfdbinary.readouterr().err
    assert b"test_logs.py" in written
    assert patient_name.encode() not in written


@pytest.mark.finding("security-low-log-values")
def test_logged_exception_contains_neither_its_message_nor_the_message_of_its_cause(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    configure_logs("info")
    patient_name = "Synthia Testperson"
    try:
        try:
            int(patient_name)
        except ValueError as error:
            raise RuntimeError(f"cannot read {patient_name}") from error
    except RuntimeError as error:
        structlog.get_logger().exception("request.crashed")
        logging.getLogger("some.library").error("Task exception\nwas never retrieved: %r", error, exc_info=error)
    ours, library = lines(capfdbinary)
    for line in (ours, library):
        assert patient_name not in json.dumps(line)
        assert [(one["exc_type"], one["is_cause"]) for one in line["exception"]] == [  # type: ignore[attr-defined]
            ("RuntimeError", False),
            ("ValueError", True),
        ]
        assert "test_logs.py" in json.dumps(line)
    assert library["message"] == "Task exception"


def test_warning_of_a_library_is_logged_as_a_json_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs("info")
    logging.getLogger("some.library").warning("careful")
    logging.getLogger("some.library").info("chatter")
    (line,) = lines(capfdbinary)
    assert (line["event"], line["logger"], line["message"]) == ("library.warned", "some.library", "careful")
