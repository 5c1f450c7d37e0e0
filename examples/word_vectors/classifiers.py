# SPDX-License-Identifier: Apache-2.0
"""The classifiers of the experiment. Each takes files of training, validation and test texts and returns its accuracy
on the test texts with the settings that are best on the validation texts."""

import itertools
import json
import pathlib
import subprocess
import tempfile

import numpy

# Of Adam, for Rowmill. A dense layer alone bears a higher one.
LEARNING_RATES = {
    "random": [0.0005, 0.002, 0.008, 0.03],
    "frozen": [0.002, 0.008, 0.03, 0.1],
    "tuned": [0.002, 0.008, 0.03, 0.1],
}
# That of the vectors, in units of it. Those that CBOW made are easily spoilt by few texts.
VECTOR_RATES = {"random": [1], "frozen": [0], "tuned": [0.1, 0.01]}
EPOCHS = 20


def best(candidates):
    """The first with the highest accuracy on the validation texts."""
    return max(candidates, key=lambda candidate: candidate["validation"])


def classify(program, train, validation, test, options):
    """Runs the program `classify`; returns what it prints."""
    command = [program, train, validation, test, *options]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def rowmill(program, train, validation, test, seed, dim, how, load=None):
    """Embedding -> Mean -> Dense -> LogSoftmax: learning rates and epoch are chosen. `how` is a key of VECTOR_RATES."""
    options = ["--seed", seed, "--dim", dim, "--epochs", EPOCHS, "--learning-rates", *LEARNING_RATES[how]]
    options += ["--load", load] if load else []
    options += ["--vector-rates", *VECTOR_RATES[how]]
    result = classify(program, train, validation, test, options)
    candidates = [
        {"learning_rate": run["learning_rate"], "vector_rate": run["vector_rate"], "epoch": epoch + 1}
        | {part: run[part][epoch] for part in ["train", "validation", "test"]}
        for run in result["runs"]
        for epoch in range(EPOCHS)
    ]
    return best(candidates) | {"unknown": result["unknown_test"]}


def read(path):
    lines = [line.split("\t", 1) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]
    return [text for _, text in lines], [label for label, _ in lines]


def logistic_regression(train, validation, test):
    """scikit-learn's, on the counts of a text's words. The strength of its regularisation is chosen."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    counter = CountVectorizer(tokenizer=str.split, token_pattern=None, lowercase=False)
    texts, labels = read(train)
    counts = counter.fit_transform(texts)
    parts = {
        name: (counter.transform(t), y) for name, (t, y) in (("validation", read(validation)), ("test", read(test)))
    }
    candidates = []
    for inverse_strength in [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]:
        model = LogisticRegression(C=inverse_strength, max_iter=1000).fit(counts, labels)
        accuracies = {name: model.score(*part) for name, part in parts.items()}
        candidates.append(accuracies | {"C": inverse_strength, "train": model.score(counts, labels)})
    known = set(counter.vocabulary_)
    words = [word for text in read(test)[0] for word in text.split()]
    return best(candidates) | {"unknown": sum(word not in known for word in words) / len(words)}


def fasttext_supervised(train, validation, test, seed, dim):
    """fastText's classifier. Its learning rate and number of epochs are chosen."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    fasttext.FastText.unsupervised_default["seed"] = seed
    parts = {"train": read(train), "validation": read(validation), "test": read(test)}
    candidates = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "train.txt"
        texts, labels = parts["train"]
        path.write_text("".join(f"__label__{y} {text}\n" for text, y in zip(texts, labels)), encoding="utf-8")
        for rate, epochs in itertools.product([0.1, 0.5], [5, 20]):
            model = fasttext.train_supervised(str(path), lr=rate, epoch=epochs, dim=dim, thread=1, verbose=0)
            accuracies = {name: fasttext_accuracy(model, *part) for name, part in parts.items()}
            candidates.append(accuracies | {"learning_rate": rate, "epoch": epochs})
    return best(candidates)


def fasttext_accuracy(model, texts, labels):
    # The Python function `predict` does not work with NumPy 2; what it calls does.
    found = [model.f.predict(text + "\n", 1, 0.0, "strict")[0][1] for text in texts]
    return float(numpy.mean([label == f"__label__{y}" for label, y in zip(found, labels)]))
