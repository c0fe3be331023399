"""A device in FHIR has the profiles, the clock, the certification and the regulation that it reports of itself."""

from typing import Any

from protocols.device_description import NO_DESCRIPTION, CertifiedProfile, DeviceDescription
from protocols.fhir.device_properties import properties_of, specializations_of
from protocols.ieee11073.nomenclature import code_of
from tests.builders.fhir_encounters import DESCRIBED

GENERIC = code_of("MDC_DEV_SPEC_PROFILE_GENERIC")


def values(described: DeviceDescription) -> dict[str, Any]:
    """Return the value of each property: the codes of its concepts, or its numbers with their unit."""
    found = {}
    for each in properties_of(described):
        (type_,) = each["type"]["coding"]
        codes = [coding["code"] for concept in each.get("valueCode", ()) for coding in concept["coding"]]
        found[type_["code"]] = codes or [(one["value"], one["code"]) for one in each["valueQuantity"]]
    return found


def test_properties_are_those_of_the_personal_health_device_guide() -> None:
    assert values(DESCRIBED) == {
        "68220": ["532224"],
        "68219.0": ["Y"],
        "68219.1": ["Y"],
        "68219.11": ["Y"],
        "68221": [(1_000, "us")],
        "68222": [(10_000, "us")],
        "532353": ["8196", "32772"],
        "532354.0": ["N"],
    }


def test_base_offset_clock_has_the_resolution_of_its_kind() -> None:
    described = DeviceDescription(clock_capabilities=0x0100, clock_resolution_us=15)
    assert values(described) == {"68219.7": ["Y"], "68239": [(15, "us")]}


def test_device_without_a_description_has_no_property_and_the_specialization_of_its_class() -> None:
    assert properties_of(NO_DESCRIPTION) == []
    (one,) = specializations_of(NO_DESCRIPTION, GENERIC)
    assert (one["systemType"]["coding"][0]["code"], one["version"]) == ("528457", "1")


def test_specializations_are_the_reported_profiles_with_their_versions() -> None:
    found = specializations_of(DESCRIBED, GENERIC)
    assert [(each["systemType"]["coding"][0]["code"], each["version"]) for each in found] == [
        ("528388", "2"),
        ("528390", "1"),
    ]


def test_certified_class_outside_of_the_device_profiles_is_left_out() -> None:
    assert properties_of(DeviceDescription(certified=(CertifiedProfile(0, 7),))) == []
