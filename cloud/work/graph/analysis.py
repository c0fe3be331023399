"""The analyses of a graph. They run in a process of their own (`child.py`), since they take seconds of a core and the
memory of the whole graph.

A line of the graph is one node, or two nodes with a tab between them, which is an edge. Nodes are named `KIND/ID`. An
edge that is repeated counts once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import rustworkx

from cloud.work.graph.communities import communities_of

BETWEENNESS_WORK_MAX = 500_000_000
"""Nodes times edges up to which the betweenness is computed exactly, some ten seconds of a core. For a larger graph it
is null: an estimate from some nodes would change with the choice of the nodes."""
DAMPING = 0.85
"""The probability of following an edge in PageRank, as in the paper and all libraries."""


class Graph:
    """A graph in memory, with the names of its nodes."""

    def __init__(self, lines: Iterable[str]) -> None:
        numbers: dict[str, int] = {}
        edges: dict[tuple[int, int], None] = {}
        for line in lines:
            ends = [numbers.setdefault(name, len(numbers)) for name in line.split("\t")]
            if len(ends) == 2 and ends[0] != ends[1]:
                edges[min(ends), max(ends)] = None
        self.names = list(numbers)
        self.numbers = numbers
        self.edges = list(edges)
        self.graph: rustworkx.PyGraph[str, None] = rustworkx.PyGraph(multigraph=False)
        self.graph.add_nodes_from(self.names)
        self.graph.add_edges_from_no_data(self.edges)

    def components(self) -> dict[str, Any]:
        """Return the connected components, the largest first."""
        found = [sorted(self.names[node] for node in nodes) for nodes in rustworkx.connected_components(self.graph)]
        found.sort(key=lambda names: (-len(names), names[0]))
        return {"count": len(found), "components": [_group(names) for names in found]}

    def centrality(self, top: int) -> dict[str, Any]:
        """Return the nodes with the highest PageRank, with their degrees and their betweenness."""
        if not self.names:
            return {"count": 0, "betweenness": "exact", "nodes": []}
        directed = self.graph.to_directed()
        ranks = rustworkx.pagerank(directed, alpha=DAMPING)
        exact = len(self.names) * len(self.edges) <= BETWEENNESS_WORK_MAX
        between = rustworkx.betweenness_centrality(self.graph) if exact else None
        shares = rustworkx.degree_centrality(self.graph)
        order = sorted(range(len(self.names)), key=lambda node: (-ranks[node], self.names[node]))
        rows = [
            {
                "node": self.names[node],
                "degree": self.graph.degree(node),
                "degree_centrality": shares[node],
                "pagerank": ranks[node],
                "betweenness": None if between is None else between[node],
            }
            for node in order[:top]
        ]
        return {"count": len(self.names), "betweenness": "exact" if exact else "too_large", "nodes": rows}

    def shortest_paths(self, between: Sequence[str]) -> dict[str, Any]:
        """Return a shortest path for each pair of these nodes; null for a pair without one. A node that is not in the
        graph is in `absent`."""
        present = [name for name in between if name in self.numbers]
        rows = [row for place, name in enumerate(present) for row in self._paths(name, present[place + 1 :])]
        return {"absent": [name for name in between if name not in self.numbers], "paths": rows}

    def _paths(self, source: str, targets: Sequence[str]) -> Iterator[dict[str, Any]]:
        if not targets:
            return
        paths = rustworkx.dijkstra_shortest_paths(self.graph, self.numbers[source], default_weight=1.0)
        for target in targets:
            number = self.numbers[target]
            path = [self.names[node] for node in paths[number]] if number in paths else None
            yield {"from": source, "to": target, "length": None if path is None else len(path) - 1, "path": path}

    def communities(self) -> dict[str, Any]:
        """Return the communities, the largest first, with the modularity of the division."""
        neighbours = [sorted(self.graph.neighbors(node)) for node in range(len(self.names))]
        community, modularity = communities_of(neighbours)
        groups: dict[int, list[str]] = {}
        for node, number in enumerate(community):
            groups.setdefault(number, []).append(self.names[node])
        found = sorted((sorted(names) for names in groups.values()), key=lambda names: (-len(names), names[0]))
        return {
            "count": len(found),
            "modularity": round(modularity, 9),
            "communities": [_group(names) for names in found],
        }

    def counts(self) -> dict[str, Any]:
        """Return the numbers of nodes and edges."""
        return {"nodes": len(self.names), "edges": len(self.edges), "nodes_by_kind": _kinds(self.names)}


def _group(names: Sequence[str]) -> dict[str, Any]:
    return {"size": len(names), "nodes_by_kind": _kinds(names), "nodes": list(names)}


def _kinds(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(name.partition("/")[0] for name in names).items()))
