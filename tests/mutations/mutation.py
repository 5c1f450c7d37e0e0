# SPDX-License-Identifier: Apache-2.0
"""Ways to break the library, each of which a test must notice. tests/mutations/run tries them."""
from typing import NamedTuple


class Edit(NamedTuple):
    file: str
    old: str  # stands in the file exactly once; short, so that it stays when the code around it moves
    new: str


class Mutation(NamedTuple):
    name: str
    tests: tuple  # "<executable>:<filter of GoogleTest>", tried in this order
    edits: tuple
    isa: str = ""  # matters to this instruction set alone


MUTATIONS = []


def mutation(name, tests, *edits, isa=""):
    MUTATIONS.append(Mutation(name, tuple(tests.split()), tuple(Edit(*edit) for edit in edits), isa))
