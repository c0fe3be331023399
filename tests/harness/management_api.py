"""The part of RabbitMQ's management API that the product uses, with its state in memory, on a real HTTP listener.

It has RabbitMQ's paths, status codes and forms of the responses, so that the product's client is tested without a
cluster; `make test-cluster` runs the same client against real nodes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import encode_basic_auth, web

from cloud.vehicles.fleet.broker_rights import CloudLogin
from cloud.vehicles.fleet.cluster_url import ClusterUrl
from cloud.vehicles.fleet.rabbitmq_management import RabbitmqManagement

LOGIN = CloudLogin("argus-cloud-0", "mellon")


class ManagementApi:
    """The objects of a cluster, by name, and the requests so far."""

    def __init__(self) -> None:
        self.nodes = [{"name": f"rabbit@node{number}", "running": True} for number in (1, 2, 3)]
        self.users: dict[str, dict[str, Any]] = {LOGIN.username: {"tags": ["administrator"]}}
        self.permissions: dict[str, dict[str, Any]] = {}
        self.topic_permissions: dict[str, dict[str, Any]] = {}
        self.exchanges: dict[str, Any] = {}
        self.queues: dict[str, dict[str, Any]] = {}
        self.bindings: list[dict[str, Any]] = []
        self.members_of_new_queue = 3
        self.connections_closed: list[str] = []
        self.requests: list[str] = []
        self.failing = 0
        """Number of requests that get status 500 before the next is served."""

    def changes(self) -> list[str]:
        return [each for each in self.requests if not each.startswith("GET")]

    @web.middleware
    async def check(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.raw_path}")
        if request.headers["Authorization"] != encode_basic_auth(LOGIN.username, LOGIN.password):
            return web.json_response({"error": "not_authorized", "reason": "Login failed"}, status=401)
        if self.failing:
            self.failing -= 1
            return web.json_response({"error": "internal_error", "reason": "a\nreason"}, status=500)
        response: web.StreamResponse = await handler(request)
        return response

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self.check])
        application.add_routes(
            [
                web.get("/api/nodes", self._list(lambda: self.nodes)),
                web.get("/api/users", self._list(lambda: [{"name": name, **one} for name, one in self.users.items()])),
                web.get("/api/permissions", self._list(lambda: list(self.permissions.values()))),
                web.get("/api/topic-permissions", self._list(lambda: list(self.topic_permissions.values()))),
                web.put("/api/users/{name}", self.put_user),
                web.delete("/api/users/{name}", self.delete_user),
                web.put("/api/permissions/{vhost}/{name}", self.put_permission),
                web.put("/api/topic-permissions/{vhost}/{name}", self.put_topic_permission),
                web.delete("/api/connections/username/{name}", self.close_connections),
                web.put("/api/exchanges/{vhost}/{name}", self.put_exchange),
                web.get("/api/exchanges/{vhost}/{name}/bindings/source", self.get_bindings),
                web.put("/api/queues/{vhost}/{name}", self.put_queue),
                web.get("/api/queues/{vhost}/{name}", self.get_queue),
                web.delete("/api/queues/{vhost}/{name}", self.delete_queue),
                web.post("/api/bindings/{vhost}/e/{source}/{kind}/{name}", self.bind),
                web.post("/api/queues/quorum/{vhost}/{name}/replicas/add", self.add_member),
                web.post("/api/rebalance/queues", self.rebalance),
            ]
        )
        return application

    def _list(self, read: Any) -> Any:
        async def handler(_: web.Request) -> web.Response:
            return web.json_response(read())

        return handler

    async def put_user(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.users[request.match_info["name"]] = {"tags": body["tags"].split(","), "hash": body["password_hash"]}
        return web.Response(status=201)

    async def delete_user(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.users.pop(name, None) is None:
            return web.json_response({"error": "Object Not Found", "reason": "Not Found"}, status=404)
        self.permissions.pop(name, None)
        self.topic_permissions.pop(name, None)
        return web.Response(status=204)

    async def put_permission(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.permissions[name] = {"user": name, "vhost": request.match_info["vhost"], **await request.json()}
        return web.Response(status=201)

    async def put_topic_permission(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.topic_permissions[name] = {"user": name, "vhost": request.match_info["vhost"], **await request.json()}
        return web.Response(status=201)

    async def close_connections(self, request: web.Request) -> web.Response:
        self.connections_closed.append(request.match_info["name"])
        return web.Response(status=204)

    async def put_exchange(self, request: web.Request) -> web.Response:
        self.exchanges[request.match_info["name"]] = await request.json()
        return web.Response(status=201)

    async def put_queue(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.json()
        if name in self.queues and self.queues[name]["arguments"] != body["arguments"]:
            return web.json_response({"error": "bad_request", "reason": "inequivalent arg"}, status=400)
        members = [node["name"] for node in self.nodes[: self.members_of_new_queue]]
        self.queues.setdefault(name, {**body, "members": members, "online": members, "leader": members[0]})
        return web.Response(status=201)

    async def get_queue(self, request: web.Request) -> web.Response:
        found = self.queues.get(request.match_info["name"])
        if found is None:
            return web.json_response({"error": "Object Not Found", "reason": "Not Found"}, status=404)
        return web.json_response({"consumer_details": [], **found})

    async def delete_queue(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        del self.queues[name]
        self.bindings = [one for one in self.bindings if one["destination"] != name]
        return web.Response(status=204)

    async def get_bindings(self, request: web.Request) -> web.Response:
        return web.json_response([one for one in self.bindings if one["source"] == request.match_info["name"]])

    async def bind(self, request: web.Request) -> web.Response:
        body = await request.json()
        made = {
            "source": request.match_info["source"],
            "destination": request.match_info["name"],
            "routing_key": body["routing_key"],
        }
        if made not in self.bindings:
            self.bindings.append(made)
        return web.Response(status=201)

    async def add_member(self, request: web.Request) -> web.Response:
        node = (await request.json())["node"]
        members = self.queues[request.match_info["name"]]["members"]
        self.queues[request.match_info["name"]]["members"] = [*members, node]
        return web.Response(status=204)

    async def rebalance(self, _: web.Request) -> web.Response:
        return web.Response(status=204)


@asynccontextmanager
async def management_api(*, unreachable_first: bool = False) -> AsyncIterator[tuple[ManagementApi, RabbitmqManagement]]:
    """Yield a running API and the product's client for it. `unreachable_first`: the first node of the client's list
    does not listen."""
    api = ManagementApi()
    runner = web.AppRunner(api.application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    hosts = (("127.0.0.1", 1), ("127.0.0.1", port)) if unreachable_first else (("127.0.0.1", port),)
    management = RabbitmqManagement(ClusterUrl("http", hosts), LOGIN)
    try:
        yield api, management
    finally:
        await management.close()
        await runner.cleanup()
