"""Communities by the method of Louvain (Blondel et al., 2008), which rustworkx does not have.

Nodes move to the neighbouring community that increases the modularity most, until none moves; the communities then
become the nodes of a smaller graph, and so on. The order of the nodes is fixed and ties go to the smaller number, so an
equal graph has equal communities.
"""

from collections.abc import Sequence

Weights = list[dict[int, float]]
"""For each node, its neighbours with the weight of the edge. The weight of a loop counts both of its ends."""

ROUNDS_MAX = 20
"""Passes over all nodes for each level. The first ones make nearly all of the gain; the limit ends those that move a
few nodes to and fro."""
LEVELS_MAX = 10
"""Levels of aggregation. Each divides the number of nodes by several; real graphs end after three to five."""


def communities_of(neighbours: Sequence[Sequence[int]]) -> tuple[list[int], float]:
    """Return the community of each node, numbered in the order of their first nodes, and the modularity. `neighbours`
    has the neighbours of each node, each edge in both directions."""
    weights: Weights = [dict.fromkeys(others, 1.0) for others in neighbours]
    total = sum(len(others) for others in neighbours)
    member = list(range(len(neighbours)))
    if total == 0:
        return member, 0.0
    for _ in range(LEVELS_MAX):
        moved = _move_nodes(weights, total)
        numbered = _numbered(moved)
        if len(set(numbered)) == len(weights):
            break
        member = [numbered[community] for community in member]
        weights = _aggregated(weights, numbered)
    return _numbered(member), _modularity(weights, total)


def _move_nodes(weights: Weights, total: float) -> list[int]:
    """Return the community of each node after no node moves any more."""
    community = list(range(len(weights)))
    degrees = [sum(others.values()) for others in weights]
    sums = list(degrees)  # of the degrees of each community's nodes
    for _ in range(ROUNDS_MAX):
        moves = 0
        for node, others in enumerate(weights):
            own, degree = community[node], degrees[node]
            links: dict[int, float] = {own: 0.0}
            for other, weight in others.items():
                if other != node:
                    links[community[other]] = links.get(community[other], 0.0) + weight
            sums[own] -= degree
            best, gain_max = own, links[own] - sums[own] * degree / total
            for candidate, weight in links.items():
                gain = weight - sums[candidate] * degree / total
                if gain > gain_max + 1e-9 or (abs(gain - gain_max) <= 1e-9 and candidate < best):
                    best, gain_max = candidate, gain
            sums[best] += degree
            if best != own:
                community[node] = best
                moves += 1
        if not moves:
            break
    return community


def _aggregated(weights: Weights, community: Sequence[int]) -> Weights:
    merged: Weights = [{} for _ in range(max(community) + 1)]
    for node, others in enumerate(weights):
        row = merged[community[node]]
        for other, weight in others.items():
            row[community[other]] = row.get(community[other], 0.0) + weight
    return merged


def _modularity(weights: Weights, total: float) -> float:
    """Return the modularity of the division in which each node of an aggregated graph is one community."""
    return sum(
        others.get(node, 0.0) / total - (sum(others.values()) / total) ** 2 for node, others in enumerate(weights)
    )


def _numbered(community: Sequence[int]) -> list[int]:
    """Number communities from 0, in the order of their first nodes."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(one, len(numbers)) for one in community]
