"""Values for a path parameter of the published keys, for `tests/contract/test_isolation`."""

MAKERS = {"algorithm": lambda _cloud, _app: "ml-dsa-65"}
