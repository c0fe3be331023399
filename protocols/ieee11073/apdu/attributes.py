"""Data types of attributes that several messages use (reference 20601 §2)."""

from protocols.ieee11073.mder import U16, AnyDefinedBy, Handle, OctetString, OidType, SequenceOf, sequence


@sequence
class AvaType:
    """One attribute: its id and its encoded value."""

    attribute_id: OidType
    attribute_value: AnyDefinedBy


@sequence
class Type:
    """A nomenclature code with its partition."""

    partition: U16
    code: OidType


@sequence
class AttrValMapEntry:
    """One entry of an Attribute-Value-Map. `attribute_len` is the length of the encoded value in bytes."""

    attribute_id: OidType
    attribute_len: U16


@sequence
class HandleAttrValMapEntry:
    """The attributes that a scanner reports for one object, in order."""

    obj_handle: Handle
    attr_val_map: SequenceOf[AttrValMapEntry]


@sequence
class SystemModel:
    """Manufacturer and model of a device: printable strings, padded to an even length."""

    manufacturer: OctetString
    model_number: OctetString


@sequence
class ProductionSpecEntry:
    """One item of a device's production specification, such as its serial number or a revision."""

    spec_type: U16
    component_id: U16
    prod_spec: OctetString


@sequence
class TypeVersion:
    """A device specialisation that the device follows, and its version; `type` is a code of partition 8."""

    type: OidType
    version: U16
