"""The nomenclature of IEEE 11073-10101 as tables."""

from protocols.ieee11073.nomenclature.code import Code

__all__ = ["Code"]
