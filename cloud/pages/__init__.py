"""Pages for people on the auth host: one look, two languages, no script, nothing from elsewhere."""

from cloud.pages.cookies import Cookie, read_cookie
from cloud.pages.forgery import FormForged, check_form, token_of
from cloud.pages.language import Language, Words, language_of
from cloud.pages.rendering import Pages, see_other
from cloud.pages.routes import routes

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
