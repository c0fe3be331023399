"""A topic names one tenant and one gateway, and no name can contain a wildcard."""

import pytest

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.lanes import Lane


@pytest.mark.parametrize("lane", Lane)
def test_batch_topic_is_parsed_into_tenant_and_gateway_and_lane(lane: Lane):
    assert topics.parse_up(topics.up("ten_a", "gw-1", lane)) == ("ten_a", "gw-1", lane)


def test_mqtt_topics_have_the_specified_form():
    assert topics.up("t", "g", Lane.NUMERIC) == "argus/v1/t/g/up/numeric"
    assert topics.ack("t", "g") == "argus/v1/t/g/down/ack"
    assert topics.command("t", "g") == "argus/v1/t/g/down/command"
    assert topics.status("t", "g") == "argus/v1/t/g/status"
    assert topics.up_filter("t", "g") == "argus/v1/t/g/up/+"
    assert topics.status_filter("t") == "argus/v1/t/+/status"


def test_status_topic_is_parsed_into_tenant_and_gateway():
    assert topics.parse_status(topics.status("t", "g")) == ("t", "g")


@pytest.mark.parametrize("name", ["", "+", "#", "a/b", "a b", "ä", "n" * 65, "a\n"])
def test_topic_with_an_invalid_tenant_or_gateway_name_is_refused(name: str):
    for build in (topics.ack, topics.status, topics.command):
        with pytest.raises(LocalProtocolError):
            build("tenant", name)
        with pytest.raises(LocalProtocolError):
            build(name, "gateway")


@pytest.mark.parametrize(
    "topic",
    [
        "argus/v1/t/g/up/numeric/more",
        "argus/v1/t/g/up/other",
        "argus/v2/t/g/up/numeric",
        "argus/v1/t//up/numeric",
        "argus/v1/+/g/up/numeric",
        "argus/v1/t/g/down/ack",
        "",
    ],
)
def test_topic_of_another_form_is_not_parsed_as_a_batch_topic(topic: str):
    with pytest.raises(RemoteProtocolError):
        topics.parse_up(topic)


def test_filter_with_an_invalid_name_is_refused():
    with pytest.raises(LocalProtocolError):
        topics.up_filter("+", "g")
    with pytest.raises(LocalProtocolError):
        topics.status_filter("a/b")
