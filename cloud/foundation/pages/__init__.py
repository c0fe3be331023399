"""Pages for people on the auth host: one look, two languages, no script, nothing from elsewhere."""

from cloud.foundation.pages.cookies import Cookie, read_cookie
from cloud.foundation.pages.forgery import FormForged, check_form, token_of
from cloud.foundation.pages.language import Language, Words, language_of
from cloud.foundation.pages.rendering import Pages, see_other
from cloud.foundation.pages.routes import routes

__all__ = [
    "Cookie",
    "FormForged",
    "Language",
    "Pages",
    "Words",
    "check_form",
    "language_of",
    "read_cookie",
    "routes",
    "see_other",
    "token_of",
]
