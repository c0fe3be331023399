"""Somebody who walks through the pages of a running cloud by their forms alone, where a browser is not the point."""

import httpx

from tests.harness.page_reader import Form, read_page


def form_of(page: httpx.Response, action: str) -> Form:
    """The form of a page that goes to this path."""
    _, forms = read_page(page.text)
    return next(form for form in forms if form.action == action)


def signed_in(
    person: httpx.Client, username: str, password: str, *, page: httpx.Response | None = None
) -> httpx.Response:
    """Type user name and password; the answer to it. `page`: the sign-in page that somebody was led to."""
    form = form_of(page or person.get("/sign-in"), "/sign-in")
    return person.post(form.action, data={**form.fields, "username": username, "password": password})


def allowed(auth_url: str, request: str, username: str, password: str) -> str:
    """Sign in and allow what an authorization request asks for; where the last redirect leads.

    `auth_url`: the process to be asked; `request`: path and query.
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
