"""The search is done again with sets, level by level."""


def generate(random):
    return {"vertices": 20_000, "seed": random.randrange(1 << 30), "root": random.randrange(20_000)}


def neighbours(count, seed):
    near, edges, state = [set() for _ in range(count)], 0, seed
    for vertex in range(1, count):
        for limit in (vertex, count):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            other = (state // 256) % limit
            near[vertex].add(other)
            near[other].add(vertex)
            edges += 1
    return near, edges


def reference(event):
    near, edges = neighbours(event["vertices"], event["seed"])
    level, seen, sizes = {event["root"]}, {event["root"]}, []
    while level:
        sizes.append(len(level))
        last = level
        level = set().union(*(near[vertex] for vertex in level)) - seen
        seen |= level
    return {"reached": len(seen), "edges": edges, "level_sizes": sizes, "last_level_sum": sum(last)}


def fault(event, response):
    right = reference(event)
    return None if response == right else f"the search found {response}, not {right}"
