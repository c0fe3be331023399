"""Access tokens of the demo's app, for the steps of the demo that use the API."""

import aiohttp

from simulators.demo.plan import Plan


async def api_token(session: aiohttp.ClientSession, plan: Plan, scopes: str) -> str:
    """Return an access token with these scopes, separated by spaces. Raises `aiohttp.ClientError`."""
    app = aiohttp.BasicAuth(plan.first.client_id, plan.first.client_secret)
    form = {"grant_type": "client_credentials", "scope": scopes}
    url = f"{plan.url('auth')}/v1/oauth/token"
    async with session.post(url, data=form, auth=app, raise_for_status=True) as response:
        return str((await response.json())["access_token"])
