"""Seeds of runtimes are made anew, as their clones share one layout of memory; what depends on an old one goes on."""

import json
import os

from daemon import OwnDaemon, eventually
from functions import deploy
from test_seeds import start

# The first start of each function is of the runtime's seed.
SETTINGS = {
    "limits.keep_alive_s": 0,
    "seeds.after_events": 4,
    "seeds.idle_after": 4,
    "seeds.parked": 0,
    "seeds.rotate_clones": 5,
    "seeds.recall": "false",
}
# Where a library is that the runtime has brought along.
WHERE = """
def handler(event, context):
    return next(line for line in open("/proc/self/maps") if "/libc.so" in line).split("-")[0]
"""


class Rotation(OwnDaemon):
    def begin(self, **more):
        self.made = self.daemon({**SETTINGS, **more}).start()
        self.client = self.made.client()
        self.addCleanup(lambda: self.client.close())
        self.assertEqual(start(self.made, deploy(self.client, WHERE))[0], "cold")
        self.assertTrue(eventually(lambda: self.runtime()["state"] == "resident", 20), self.made.log())

    def reconnect(self):
        """A daemon that was started again listens elsewhere."""
        self.client.close()
        self.client = self.made.client()

    def seeds(self):
        return json.loads(self.made.cli("seed", "list", "--json").stdout)["seeds"]

    def runtime(self):
        return next(seed for seed in self.seeds() if seed["level"] == 1)

    def images(self):
        """The images of runtimes on disk."""
        return {name for name in os.listdir(self.made.state_dir / "seeds") if name.startswith("runtime-")}

    def where(self):
        """Where the first instance of a function has it; there is always a seed to begin in."""
        rung, value, _ = start(self.made, deploy(self.client, WHERE))
        self.assertEqual(rung, "level1", self.made.log())
        return value

    def rotate(self):
        """Starts instances until the seed is another one: where each had it."""
        old, seen = self.runtime()["image"], []

        def is_another():
            seen.append(self.where())
            return self.runtime()["image"] != old

        self.assertTrue(eventually(is_another, 20), self.made.log())
        return seen

    def published(self):
        """A version whose seed is a difference to the runtime's: its function, and where it has it."""
        name = deploy(self.client, WHERE, SnapStart={"ApplyOn": "PublishedVersions"})
        self.client.publish_version(FunctionName=name)

        def is_active():
            return self.client.get_function_configuration(FunctionName=name, Qualifier="1")["State"] == "Active"

        self.assertTrue(eventually(is_active, 20), self.made.log())
        seed = next(seed for seed in self.seeds() if seed["function"] == name)
        self.assertEqual(seed["parent"], self.runtime()["image"])
        return name, self.value_of(name, "clone")

    def value_of(self, name, rung):
        found = start(self.made, f"{name}:1")
        self.assertEqual(found[0], rung, self.made.log())
        return found[1]

    def test_clones_of_the_new_seed_have_another_layout_and_the_old_image_goes(self):
        self.begin()
        old = self.images()
        before = self.rotate()
        after = {self.where() for _ in range(3)}
        # Control: as long as it is the same seed, it is the same place.
        self.assertEqual((len(set(before[:5])), len(after)), (1, 1))
        self.assertNotIn(before[0], after)
        self.assertTrue(eventually(lambda: not self.images() & old), self.images())
        self.assertEqual(self.images(), {self.runtime()["image"]})

    def test_seed_that_is_a_difference_to_the_old_one_goes_on_and_takes_it_along(self):
        self.begin()
        old = self.runtime()["image"]
        name, place = self.published()
        self.rotate()
        new = self.runtime()["image"]
        self.assertEqual(self.images(), {old, new})
        self.assertEqual(self.value_of(name, "clone"), place)
        where = self.where()

        self.made.restart()
        self.reconnect()
        self.assertEqual(self.images(), {old, new})
        self.assertEqual(self.value_of(name, "restore"), place)
        self.assertEqual(self.where(), where, "the newest image is the seed")
        self.client.delete_function(FunctionName=name)
        self.assertTrue(eventually(lambda: self.images() == {new}), self.images())

    def test_old_image_on_which_nothing_depends_goes_at_the_next_start(self):
        self.begin()
        old = self.runtime()["image"]
        self.rotate()
        where, new = self.where(), self.runtime()["image"]
        self.assertTrue(eventually(lambda: self.images() == {new}), self.images())
        self.made.kill9()
        images = self.made.state_dir / "seeds"
        # As if the daemon had died before it removed the old one.
        (images / old).write_bytes((images / new).read_bytes())
        self.made.start()
        self.reconnect()
        self.assertTrue(eventually(lambda: self.images() == {new}), self.images())
        self.assertEqual(self.where(), where)

    def test_rotation_that_fails_costs_nothing_and_is_tried_again(self):
        self.begin()
        place, old = self.where(), self.runtime()["image"]
        # Nothing can be written there.
        obstacle = self.made.state_dir / "seeds" / f"{old}-r1"
        obstacle.mkdir()

        def has_failed():
            self.assertEqual(self.where(), place)
            return "the seed of a runtime could not be made anew" in self.made.log()

        self.assertTrue(eventually(has_failed, 20), self.made.log())
        self.assertEqual((self.runtime()["image"], self.where()), (old, place))
        obstacle.rmdir()
        self.rotate()
        self.assertNotEqual(self.where(), place)

    def test_seed_that_had_clones_is_made_anew_when_it_is_old(self):
        self.begin(**{"seeds.rotate_clones": 1000, "seeds.rotate_s": 2})
        old = self.runtime()["image"]
        self.where()
        # Nobody starts anything any more.
        self.assertTrue(eventually(lambda: self.runtime()["image"] != old, 20), self.made.log())
