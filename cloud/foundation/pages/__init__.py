"""Pages for people on the auth host: one design, two languages, no script by default, nothing from other origins."""

# mypy: implicit-reexport
from cloud.foundation.pages.cookies import Cookie, read_cookie
from cloud.foundation.pages.forgery import check_form, token_of
from cloud.foundation.pages.language import Language, language_of, translate
from cloud.foundation.pages.rendering import Pages, see_other
from cloud.foundation.pages.routes import asset_rows
