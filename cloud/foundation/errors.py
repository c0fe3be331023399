"""What the cloud answers when a request cannot be done: the base of every slice's errors.

The docstring of a class is the sentence people read; `code` is public and stable; `status` is the HTTP status that goes
with it. Rendering (problem documents, one line on a terminal) is done elsewhere; an error never carries patient data,
keys or tokens.
"""

import inspect


class DomainError(Exception):
    """The request cannot be done."""

    code = "refused"
    status = 400

    def __init__(self, detail: str = "") -> None:
        """`detail` says what this occurrence adds to the class's sentence, for instance which name is taken."""
        self.detail = detail
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The class's sentence, followed by the detail of this occurrence where there is one."""
        said = inspect.getdoc(type(self)) or ""
        return f"{said} {self.detail}".rstrip() if self.detail else said
