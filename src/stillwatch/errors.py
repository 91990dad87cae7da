"""Every error Stillwatch raises: what happened, where, and what to do about it.

The words `message` and `hint` go to a person's screen and to log files, so they never hold a
prompt, a raw identifier or a key. Each `ident` has a paragraph in `docs/errors.md`.
"""

from __future__ import annotations


class Error(Exception):
    """An operating error that a user can act on.

    `ident` is kebab case and stable; `message` says what was got and what was expected, in lower
    case and without a full stop; `where` is a file and line; `hint` names the way out.
    """

    def __init__(self, ident: str, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.ident = ident
        self.message = message
        self.hint = hint
        self.where = where

    @classmethod
    def told(cls, ident: str, message: str, hint: str, where: str) -> Error:
        """Return an error that another process met, from what it told of it."""
        return cls(ident, message, hint=hint, where=where)

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message
