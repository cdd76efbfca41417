"""Builds a random graph with igraph and searches it breadth first."""

import igraph


def edges(count, seed):
    """A tree with one more edge per vertex, from a linear congruential generator."""
    state = seed
    for vertex in range(1, count):
        state = (state * 1_103_515_245 + 12_345) % (1 << 31)
        yield vertex, (state >> 8) % vertex
        state = (state * 1_103_515_245 + 12_345) % (1 << 31)
        yield vertex, (state >> 8) % count


def handler(event, context):
    graph = igraph.Graph(n=event["vertices"], edges=list(edges(event["vertices"], event["seed"])))
    order, starts, parents = graph.bfs(event["root"])
    sizes = [after - before for before, after in zip(starts, starts[1:])]
    return {"reached": len(order), "edges": graph.ecount(), "level_sizes": sizes, "last_level_sum": sum(order[starts[-2] :])}
