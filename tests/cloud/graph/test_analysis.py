"""The analyses of a graph give the textbook's results on small graphs, and equal results for an equal graph."""

import random

import pytest

from cloud.work.graph.analysis import Graph
from cloud.work.graph.communities import communities_of


def edges(*pairs: str) -> list[str]:
    """Return the lines of a graph of vehicles: `"a-b"` is an edge, `"a"` a node."""
    return ["\t".join(f"vehicle/{name}" for name in pair.split("-")) for pair in pairs]


TWO_TRIANGLES = edges("a-b", "b-c", "c-a", "c-d", "d-e", "e-f", "f-d")
"""Two triangles with a bridge between c and d."""


def test_components_are_sorted_by_size_and_count_each_kind() -> None:
    lines = [*edges("a-b", "b-c", "z"), "encounter/e1\tdevice/d1"]
    found = Graph(lines).components()
    assert found["count"] == 3
    assert [one["nodes"] for one in found["components"]] == [
        ["vehicle/a", "vehicle/b", "vehicle/c"],
        ["device/d1", "encounter/e1"],
        ["vehicle/z"],
    ]
    assert found["components"][1]["nodes_by_kind"] == {"device": 1, "encounter": 1}


def test_repeated_edge_and_loop_count_once_or_not_at_all() -> None:
    graph = Graph(edges("a-b", "b-a", "a-b", "c-c"))
    assert graph.counts() == {"nodes": 3, "edges": 1, "nodes_by_kind": {"vehicle": 3}}


def test_centre_of_a_star_has_the_highest_centrality() -> None:
    found = Graph(edges("hub-a", "hub-b", "hub-c", "hub-d")).centrality(top=2)
    first, second = found["nodes"]
    assert (first["node"], first["degree"], first["degree_centrality"], first["betweenness"]) == (
        "vehicle/hub",
        4,
        1.0,
        1.0,
    )
    assert (second["node"], second["betweenness"]) == ("vehicle/a", 0.0)
    assert first["pagerank"] > second["pagerank"]
    assert (found["count"], found["betweenness"]) == (5, "exact")


def test_betweenness_is_left_out_where_it_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.work.graph.analysis.BETWEENNESS_WORK_MAX", 41)
    found = Graph(TWO_TRIANGLES).centrality(top=1)  # 6 nodes times 7 edges
    assert (found["betweenness"], found["nodes"][0]["betweenness"]) == ("too_large", None)


def test_shortest_paths_join_each_pair_and_name_absent_nodes() -> None:
    graph = Graph([*TWO_TRIANGLES, *edges("alone")])
    found = graph.shortest_paths(["vehicle/a", "vehicle/e", "vehicle/alone", "vehicle/unknown"])
    assert found["absent"] == ["vehicle/unknown"]
    assert [(one["from"], one["to"], one["length"]) for one in found["paths"]] == [
        ("vehicle/a", "vehicle/e", 3),
        ("vehicle/a", "vehicle/alone", None),
        ("vehicle/e", "vehicle/alone", None),
    ]
    assert found["paths"][0]["path"] == ["vehicle/a", "vehicle/c", "vehicle/d", "vehicle/e"]


def test_communities_divide_a_graph_at_its_bridge() -> None:
    found = Graph(TWO_TRIANGLES).communities()
    assert [one["nodes"] for one in found["communities"]] == [
        ["vehicle/a", "vehicle/b", "vehicle/c"],
        ["vehicle/d", "vehicle/e", "vehicle/f"],
    ]
    assert found["modularity"] == pytest.approx(6 / 7 - 0.5)  # 6 of 7 edges inside; both halves have the same degree


def test_communities_of_planted_groups_are_found_and_repeatable() -> None:
    groups, size = 8, 25
    chance = random.Random(7)
    neighbours: list[set[int]] = [set() for _ in range(groups * size)]
    for one in range(groups * size):
        for other in range(one):
            if chance.random() < (0.5 if one // size == other // size else 0.01):
                neighbours[one].add(other)
                neighbours[other].add(one)
    graph = [sorted(others) for others in neighbours]
    community, modularity = communities_of(graph)
    assert {tuple(community[group * size : (group + 1) * size]) for group in range(groups)} == {
        (number,) * size for number in range(groups)
    }
    assert modularity > 0.6
    assert communities_of(graph) == (community, modularity)


def test_empty_graph_has_no_nodes_in_any_analysis() -> None:
    graph = Graph([])
    assert graph.components() == {"count": 0, "components": []}
    assert graph.centrality(top=5)["nodes"] == []
    assert graph.communities()["count"] == 0
    assert graph.shortest_paths(["vehicle/a", "vehicle/b"])["paths"] == []
