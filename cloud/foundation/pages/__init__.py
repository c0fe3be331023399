"""Pages for people on the auth host: one design, two languages, no script by default, nothing from other origins."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.pages.cookies import Cookie, read_cookie
    from cloud.foundation.pages.forgery import check_form, token_of
    from cloud.foundation.pages.language import Language, language_of, translate
    from cloud.foundation.pages.rendering import Pages, see_other
    from cloud.foundation.pages.routes import asset_rows
else:
    __getattr__ = lazy_exports(__name__)
