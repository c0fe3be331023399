"""The pages of users. A generated password is shown once; the user is expected to change it after signing in."""

from collections.abc import Awaitable, Callable

from cloud.access.identity import Role, User, new_password
from cloud.access.oauth import TokenSurface
from cloud.access.tenancy import Tenancy
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Response
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.administration.admin_pages import AdminPages, Area, Visit, done
from cloud.partners.administration.schemas import UserForm, UsersQuery


class UserPages:
    """List, add and change users of the administrator's tenant and organisation."""

    def __init__(self, pages: AdminPages, tokens: TokenSurface) -> None:
        parts = pages.parts
        self._pages = pages
        self._parts = parts
        self._users = tokens.users
        self._tenancy = Tenancy(parts.database, parts.clock, parts.ids)

    async def list(self, visit: Visit) -> Response:
        query: UsersQuery = visit.request.query
        rows, onward = await self._pages.rows(
            visit,
            lambda after, count: self._users.list(visit.actor, after=after, count=count, named=query.named),
            lambda user: user.id,
            {"named": query.named},
        )
        return self._pages.page(
            visit, "users.html", users=rows, onward=onward, self_id=visit.user.id, named=query.named
        )

    async def new(self, visit: Visit) -> Response:
        return await self._form(visit, UserForm())

    async def add(self, visit: Visit) -> Response:
        form: UserForm = visit.request.body
        levels = {level.word: level for level in SecrecyLevel}
        password = new_password()
        try:
            user = await self._users.add(
                visit.actor,
                form.username.strip(),
                password,
                roles=form.chosen("role"),
                organization_id=form.organization_id or None,
                clearance=levels.get(form.secrecy_level, SecrecyLevel.STANDARD),
            )
        except DomainError as error:
            return await self._form(visit, form, error)
        return self._show_password(visit, user, "told.user", password)

    async def show(self, visit: Visit) -> Response:
        return await self._one(visit)

    async def set_roles(self, visit: Visit) -> Response:
        roles = visit.request.body.chosen("role")
        return await self._change(visit, "roles_set", lambda name: self._users.set_roles(visit.actor, name, roles))

    async def disable(self, visit: Visit) -> Response:
        return await self._change(
            visit, "user_disabled", lambda name: self._users.set_disabled(visit.actor, name, True)
        )

    async def enable(self, visit: Visit) -> Response:
        return await self._change(
            visit, "user_enabled", lambda name: self._users.set_disabled(visit.actor, name, False)
        )

    async def reset_factor(self, visit: Visit) -> Response:
        """Remove the second factor of a user."""
        return await self._change(
            visit, "factor_reset", lambda name: self._users.reset_second_factor(visit.actor, name)
        )

    async def set_password(self, visit: Visit) -> Response:
        """Generate a new password for a user and show it."""
        password = new_password()
        try:
            user = await self._of(visit)
            await self._users.set_password(visit.actor, user.username, password)
        except DomainError as error:
            return await self._one(visit, error)
        return self._show_password(visit, user, "told.password", password)

    async def _change(self, visit: Visit, what: str, change: Callable[[str], Awaitable[object]]) -> Response:
        """Call `change` with the name of the user on the page. Show the confirmation text with the key `what` or, if
        `change` fails, the error on the page."""
        try:
            await change((await self._of(visit)).username)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), what)

    async def _of(self, visit: Visit) -> User:
        return await self._users.find_by_id(visit.actor, visit.request.path["user_id"])

    async def _one(self, visit: Visit, error: DomainError | None = None) -> Response:
        user = await self._of(visit)
        names = {one.id: one.name for one in await self._tenancy.list_organizations(visit.actor)}
        return self._pages.page(
            visit,
            "user.html",
            error=error,
            user=user,
            organization=names.get(user.organization_id or "", user.organization_id),
            all_roles=list(Role),
            oneself=user.id == visit.user.id,
            recovery_left=await self._users.recovery_codes_left(user) if user.has_second_factor else None,
        )

    async def _form(self, visit: Visit, form: UserForm, error: DomainError | None = None) -> Response:
        return self._pages.page(
            visit,
            "user_new.html",
            error=error,
            form=form,
            roles=form.chosen("role") if error else [Role.MEMBER],
            all_roles=list(Role),
            levels=[level.word for level in SecrecyLevel if level <= visit.actor.clearance],
            organizations=await self._tenancy.list_organizations(visit.actor),
            whole_tenant=visit.actor.organization_id is None,
        )

    def _show_password(self, visit: Visit, user: User, key: str, password: str) -> Response:
        shown = [("user.username", user.username), ("user.password", password)]
        back = f"{Area.USERS.path}/{user.id}"
        return self._pages.page(
            visit, "told.html", scripted=True, key=key, told=shown, name=user.username, back=back, until_us=None
        )


def _path(visit: Visit) -> str:
    return f"{Area.USERS.path}/{visit.request.path['user_id']}"
