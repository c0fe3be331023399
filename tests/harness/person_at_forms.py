"""A person who uses the pages of a running cloud by submitting their forms, for tests that need no browser."""

import httpx

from tests.harness.eventually import WITHIN_S
from tests.harness.page_reader import Form, read_page
from tests.harness.plain_http import PLAIN


def form_of(page: httpx.Response, action: str) -> Form:
    """Return the form with this action path from the page in a response."""
    _, forms = read_page(page.text)
    return next(form for form in forms if form.action == action)


def signed_in(
    person: httpx.Client, username: str, password: str, *, page: httpx.Response | None = None
) -> httpx.Response:
    """Submit the sign-in form and return the response.

    `page` is the sign-in page if the test has fetched it already; otherwise it is fetched.
    """
    form = form_of(page or person.get("/sign-in"), "/sign-in")
    return person.post(form.action, data={**form.fields, "username": username, "password": password})


def allowed(auth_url: str, request: str, username: str, password: str) -> str:
    """Sign in and allow an app's authorization request; return the URL of the redirect to the app.

    `auth_url` is the address of the auth host. `request` is path and query of the authorization request.
    """
    with httpx.Client(base_url=auth_url, trust_env=False, verify=PLAIN, timeout=WITHIN_S) as person:
        page = person.get(request)
        assert page.status_code == 303, page.text
        page = signed_in(person, username, password, page=person.get(page.headers["Location"]))
        assert page.status_code == 303, page.text
        form = form_of(person.get(page.headers["Location"]), "/consent")
        page = person.post(form.action, data={**form.fields, "decision": "allow"})
    assert page.status_code == 303, page.text
    return str(page.headers["Location"])
