"""A person who goes through the pages of a running cloud by their forms alone, for tests that need no browser."""

import httpx

from tests.harness.page_reader import Form, read_page


def form_of(page: httpx.Response, action: str) -> Form:
    """Return the form of a page that goes to this path."""
    _, forms = read_page(page.text)
    return next(form for form in forms if form.action == action)


def signed_in(
    person: httpx.Client, username: str, password: str, *, page: httpx.Response | None = None
) -> httpx.Response:
    """Type user name and password; return the response. `page` is the sign-in page of an earlier redirect."""
    form = form_of(page or person.get("/sign-in"), "/sign-in")
    return person.post(form.action, data={**form.fields, "username": username, "password": password})


def allowed(auth_url: str, request: str, username: str, password: str) -> str:
    """Sign in and confirm an authorization request; return the target of the last redirect.

    `auth_url` is the address of the process; `request` is path and query.
    """
    with httpx.Client(base_url=auth_url, trust_env=False) as person:
        page = person.get(request)
        assert page.status_code == 303, page.text
        page = signed_in(person, username, password, page=person.get(page.headers["Location"]))
        assert page.status_code == 303, page.text
        form = form_of(person.get(page.headers["Location"]), "/consent")
        page = person.post(form.action, data={**form.fields, "decision": "allow"})
    assert page.status_code == 303, page.text
    return str(page.headers["Location"])
