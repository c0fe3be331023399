"""The attribute forms that several messages share (reference 20601 §2)."""

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
    """One value of an observation in fixed form: its attribute, and the length in bytes of its whole MDER value."""

    attribute_id: OidType
    attribute_len: U16


@sequence
class HandleAttrValMapEntry:
    """The values that a scanner reports for one object, in order."""

    obj_handle: Handle
    attr_val_map: SequenceOf[AttrValMapEntry]


@sequence
class SystemModel:
    """Manufacturer and model, printable strings padded to even length."""

    manufacturer: OctetString
    model_number: OctetString


@sequence
class ProductionSpecEntry:
    """One production detail: serial number, revisions and so on."""

    spec_type: U16
    component_id: U16
    prod_spec: OctetString


@sequence
class TypeVersion:
    """A specialisation that the device follows; the code is of partition 8."""

    type: OidType
    version: U16
