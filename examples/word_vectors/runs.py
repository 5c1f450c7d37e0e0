# SPDX-License-Identifier: Apache-2.0
"""Runs of train.py and what they gave, each kept in a file, so that nothing runs twice."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

# One thread for NumPy's products; the same words in gensim's first vectors each time; and memory that is zero when
# fastText gets it: with fewer than ten threads, 0.9.3 sets only a tenth of its first vectors for each of them.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "MALLOC_MMAP_THRESHOLD_": "1000000"}


@dataclasses.dataclass(frozen=True)
class Run:
    tool: str
    alpha: float
    epochs: int
    seed: int
    threads: int = 1
    dim: int = 100

    def name(self):
        return f"{self.tool}-alpha{self.alpha}-epochs{self.epochs}-seed{self.seed}-threads{self.threads}-dim{self.dim}"


def train(run, corpus, vectors, rowmill, min_count=5):
    """Runs train.py in a process of its own; returns the seconds it reports."""
    command = [sys.executable, HERE / "train.py", run.tool, corpus, vectors, "--rowmill", rowmill]
    command += ["--min-count", str(min_count)]
    for option in ["alpha", "epochs", "seed", "threads", "dim"]:
        command += [f"--{option}", str(getattr(run, option))]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{run.name()}: train.py failed")
    return json.loads(done.stdout)


class Record:
    """A folder with a JSON file for each run."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name, make):
        """What the file `name` holds, or else make(), which is then kept in it."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_text(json.dumps(make()) + "\n")
            part.rename(path)
        return json.loads(path.read_text())

    def all(self):
        """All that is kept, by name."""
        return {path.stem: json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))}


def quality(run, corpus, rowmill, evaluator, record):
    """Settings, seconds and measures of a run over the whole corpus."""
    from evaluate import read_vectors

    def make():
        print(f"training {run.name()}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            vectors = pathlib.Path(folder) / "vectors.npy"
            seconds = train(run, corpus, vectors, rowmill)
            return {**dataclasses.asdict(run), **seconds, **evaluator().measure(*read_vectors(vectors))}

    return record.get(run.name(), make)
